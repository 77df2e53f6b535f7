"""What is true of a simulated micrograph, as STAR files that RELION and starfile read."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import starfile
from numpy.typing import NDArray

from cryopick_ray.simulate.micrograph import SimulatedMicrograph
from cryopick_ray.simulate.molecule import Molecule
from cryopick_ray.simulate.projection import rotations_to_euler


def truth_star(
    micrograph: SimulatedMicrograph, molecules: Sequence[Molecule], relion_name: str, *, pickable: bool
) -> str:
    """Return the particles worth picking, or the others, as STAR text.

    Blocks: ``data_optics`` with the microscope; ``data_molecules`` with the name of each molecule
    (rlnReferenceImage) by number (rlnClassNumber); ``data_particles`` with centre, Euler angles,
    defocus and molecule of each particle. The others (fragments, members of clumps, centres beyond
    the edge or on contamination) are drawn like particles and count as false picks.
    """
    chosen = micrograph.scene.pickable == pickable
    blocks = {
        "optics": _optics(micrograph),
        "molecules": pd.DataFrame(
            {
                "rlnClassNumber": np.arange(1, len(molecules) + 1),
                "rlnReferenceImage": [molecule.name for molecule in molecules],
            }
        ),
        "particles": _particles(micrograph, chosen, relion_name),
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
    scene, defocus = micrograph.scene, micrograph.microscope.defocus
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
            "rlnDefocusU": [round(defocus.u_A, 1)] * count,
            "rlnDefocusV": [round(defocus.v_A, 1)] * count,
            "rlnDefocusAngle": [round(defocus.angle_deg, 2)] * count,
            "rlnClassNumber": scene.molecule[chosen] + 1,
            "rlnOpticsGroup": [1] * count,
        }
    )
