"""What is true of a simulated micrograph, as STAR files that RELION and starfile read."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import starfile
from numpy.typing import NDArray

from cryopick_ray.filaments.segments import psi_deg
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.simulate.molecule import Molecule
from cryopick_ray.simulate.projection import rotations_to_euler
from cryopick_ray.simulate.simulated_micrograph import SimulatedMicrograph


def truth_star(
    micrograph: SimulatedMicrograph, molecules: Sequence[Molecule], relion_name: str, *, pickable: bool
) -> str:
    """Return the particles worth picking, or the others, as STAR text.

    Blocks: ``data_optics`` with the microscope; ``data_molecules`` with the name of each molecule
    (rlnReferenceImage) by number (rlnClassNumber); ``data_particles`` with centre, Euler angles,
    defocus and molecule of each particle. The others (fragments, members of clumps, centres beyond
    the edge or on contamination) are drawn like particles and count as false picks.

    Where a molecule is a filament, ``data_particles`` has segments along the filaments, with tube, track
    and priors of tilt and psi; the others are pieces on contamination and in tangles and what is too
    short, and ``data_singles`` has what lies about free.
    """
    chosen = micrograph.scene.pickable == pickable
    if micrograph.filaments is None:
        particles = {"particles": _particles(micrograph, chosen, relion_name)}
    else:
        traces = micrograph.filaments.traces(pickable=pickable)
        particles = {"particles": _segments(micrograph, traces, molecules, relion_name)}
        if not pickable:
            particles["singles"] = _particles(micrograph, chosen, relion_name)
    blocks = {
        "optics": _optics(micrograph),
        "molecules": pd.DataFrame(
            {
                "rlnClassNumber": np.arange(1, len(molecules) + 1),
                "rlnReferenceImage": [molecule.name for molecule in molecules],
            }
        ),
        **particles,
    }
    text = "\n".join(starfile.to_string({name: block}) for name, block in blocks.items())
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")) + "\n"


def _optics(micrograph: SimulatedMicrograph) -> pd.DataFrame:
    optics, pixel_size_A = micrograph.microscope.optics, micrograph.microscope.pixel_size_A
    return pd.DataFrame(
        {
            "rlnOpticsGroupName": ["simulated"],
            "rlnOpticsGroup": [1],
            "rlnMicrographOriginalPixelSize": [pixel_size_A],
            "rlnMicrographPixelSize": [pixel_size_A],
            "rlnVoltage": [optics.voltage_kV],
            "rlnSphericalAberration": [optics.spherical_aberration_mm],
            "rlnAmplitudeContrast": [optics.amplitude_contrast],
        }
    )


def _particles(micrograph: SimulatedMicrograph, chosen: NDArray[np.bool_], relion_name: str) -> pd.DataFrame:
    scene = micrograph.scene
    rot, tilt, psi = rotations_to_euler(micrograph.rotations[chosen]).reshape(-1, 3).T
    count = int(chosen.sum())
    return pd.DataFrame(
        {
            "rlnMicrographName": [relion_name] * count,
            "rlnCoordinateX": scene.x_px[chosen].round(3),
            "rlnCoordinateY": scene.y_px[chosen].round(3),
            "rlnAngleRot": rot.round(3),
            "rlnAngleTilt": tilt.round(3),
            "rlnAnglePsi": psi.round(3),
            **_defocus(micrograph, count),
            "rlnClassNumber": scene.molecule[chosen] + 1,
            "rlnOpticsGroup": [1] * count,
        }
    )


def _segments(
    micrograph: SimulatedMicrograph,
    traces: Sequence[tuple[int, Trace]],
    molecules: Sequence[Molecule],
    relion_name: str,
) -> pd.DataFrame:
    """Return points at most half a width apart along each filament, both ends included."""
    pixel_size_A = micrograph.microscope.pixel_size_A
    rows = [np.zeros((0, 6))]
    for number, (molecule, trace) in enumerate(traces, 1):
        width_px = molecules[molecule].diameter_A / pixel_size_A
        track = np.linspace(0, trace.length_px, int(np.ceil(2 * trace.length_px / width_px)) + 1)
        psi = psi_deg(trace.direction_rad(track, width_px))
        same = np.full((2, len(track)), [[molecule], [number]])
        rows.append(np.column_stack([trace.at(track), track * pixel_size_A, psi, *same]))
    x_px, y_px, track_A, psi, kind, tube = np.concatenate(rows).T
    count = len(x_px)
    return pd.DataFrame(
        {
            "rlnMicrographName": [relion_name] * count,
            "rlnCoordinateX": x_px.round(3),
            "rlnCoordinateY": y_px.round(3),
            "rlnHelicalTubeID": tube.astype(np.int64),
            "rlnAngleTiltPrior": np.full(count, 90.0),
            "rlnAnglePsiPrior": psi.round(3),
            "rlnHelicalTrackLengthAngst": track_A.round(3),
            "rlnAnglePsiFlipRatio": np.full(count, 0.5),
            **_defocus(micrograph, count),
            "rlnClassNumber": kind.astype(np.int64) + 1,
            "rlnOpticsGroup": [1] * count,
        }
    )


def _defocus(micrograph: SimulatedMicrograph, count: int) -> dict[str, list[float]]:
    defocus = micrograph.microscope.defocus
    return {
        "rlnDefocusU": [round(defocus.u_A, 1)] * count,
        "rlnDefocusV": [round(defocus.v_A, 1)] * count,
        "rlnDefocusAngle": [round(defocus.angle_deg, 2)] * count,
    }
