import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile
from scipy.ndimage import gaussian_filter

from cryopick_ray.settings.config import assigned
from cryopick_ray.simulate.contamination import KINDS
from cryopick_ray.simulate.density import CONTRAST_V_A3_PER_KDA
from cryopick_ray.simulate.gaussians import gaussian_projection
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.optics import (
    Defocus,
    Microscope,
    apply_transfer,
    interaction_rad_per_V_A,
    padded_shape,
    transfer,
)
from cryopick_ray.simulate.projection import euler_to_rotations
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.simulate.truth_star import truth_star
from cryopick_ray.units import Optics

PIXEL_SIZE_A = 4.0
SHAPE = (400, 448)
QUIET = [
    *(f"contamination.{kind}.probability=0" for kind in KINDS),
    "ice.noise_rad2_A2=0",
    "ice.thickness_variation=0",
    "exposure.dose_e_per_A2=1000",
    "exposure.dqe_zero=1",
    "exposure.dqe_nyquist=1",
    "exposure.mtf_nyquist=1",
    "exposure.contrast=1",
    "exposure.contrast_spread=0",
    "microscope.b_factor_A2=0",
    "microscope.drift_A=0",
]
NAMES = ("ribosome-80s", "proteasome-capped")


def make(*texts):
    height_px, width_px = SHAPE
    data = {"molecules": NAMES, "height_px": height_px, "width_px": width_px, "pixel_size_A": PIXEL_SIZE_A}
    settings = simulation_settings(assigned(data, ["scene.particles=8", *texts]))
    molecules = [load_molecule(name) for name in NAMES]
    return simulate(settings, molecules, 0), molecules


def blocks_of(made, molecules, *, pickable=True):
    text = truth_star(made, molecules, "micrographs/a b.mrc", pickable=pickable)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.star"
        path.write_text(text)
        return text, starfile.read(path, always_dict=True)


@pytest.fixture(scope="module")
def quiet():
    return make(*QUIET, "scene.aggregates=1", "scene.broken_fraction=0")


def test_the_star_is_relions_and_starfile_reads_it(quiet):
    text, blocks = blocks_of(*quiet)
    assert [line for line in text.splitlines() if line.startswith("data_")] == [
        "data_optics",
        "data_molecules",
        "data_particles",
    ]
    particles, optics = blocks["particles"], blocks["optics"]
    assert particles["rlnMicrographName"].unique().tolist() == ["micrographs/a b.mrc"]
    assert blocks["molecules"]["rlnReferenceImage"].tolist() == list(NAMES)
    assert optics["rlnMicrographPixelSize"].tolist() == [PIXEL_SIZE_A]
    assert set(particles["rlnOpticsGroup"]) == set(optics["rlnOpticsGroup"])
    assert set(particles["rlnClassNumber"]) <= set(blocks["molecules"]["rlnClassNumber"])
    assert "#" not in text.replace(" #", "")  # no line that holds the time


def test_truth_and_decoys_share_the_particles(quiet):
    made, molecules = quiet
    counts = [
        len(blocks_of(made, molecules, pickable=pickable)[1]["particles"]) for pickable in (True, False)
    ]
    assert counts == [8, len(made.scene) - 8]
    assert counts[1] > 0


def from_star(blocks):
    """Make the image anew from the STAR file alone, each projection by formula."""
    optics = blocks["optics"].iloc[0]
    potential = np.zeros(SHAPE, np.float32)
    side = 2 * (max(SHAPE) + 100)
    for row in blocks["particles"].itertuples():
        molecule = load_molecule(
            blocks["molecules"].set_index("rlnClassNumber").rlnReferenceImage[row.rlnClassNumber]
        )
        rotation = euler_to_rotations([[row.rlnAngleRot, row.rlnAngleTilt, row.rlnAnglePsi]])[0]
        shift_A = np.array([row.rlnCoordinateX, row.rlnCoordinateY, 0]) * PIXEL_SIZE_A
        centres_A = (molecule.centres_A @ rotation.T + shift_A).astype(np.float32)
        weight = molecule.weight_kDa * np.float32(CONTRAST_V_A3_PER_KDA)
        whole = gaussian_projection(centres_A, molecule.sigma_A, weight, PIXEL_SIZE_A, side)[
            side // 2 :, side // 2 :
        ]
        potential += whole[: SHAPE[0], : SHAPE[1]]
    microscope = Microscope(
        Optics(optics.rlnVoltage, optics.rlnSphericalAberration, optics.rlnAmplitudeContrast),
        Defocus(row.rlnDefocusU, row.rlnDefocusV, row.rlnDefocusAngle),
        optics.rlnMicrographPixelSize,
    )
    phase = potential * np.float32(interaction_rad_per_V_A(optics.rlnVoltage))
    return apply_transfer(phase, transfer(microscope, padded_shape(microscope, SHAPE)))


def likeness(made, molecules, **changes):
    """Correlation of the image with the one made from its STAR files, both without the finest noise."""
    frames = [blocks_of(made, molecules, pickable=pickable)[1] for pickable in (True, False)]
    blocks = frames[0] | {"particles": pd.concat([frame["particles"] for frame in frames])}
    for name, change in changes.items():
        blocks["particles"][name] += change
    smooth = [gaussian_filter(image, 1.5).ravel() for image in (from_star(blocks), made.pixels)]
    return np.corrcoef(*smooth)[0, 1]


def test_the_star_alone_says_what_the_image_shows(quiet):
    assert likeness(*quiet) > 0.99


@pytest.mark.parametrize(
    "changes",
    [{"rlnAngleRot": 60}, {"rlnAngleTilt": 40}, {"rlnAnglePsi": 40}, {"rlnCoordinateX": 2}],
    ids=str,
)
def test_wrong_angles_or_places_would_show(quiet, changes):
    assert likeness(*quiet, **changes) < 0.985


def test_an_empty_micrograph_has_a_truth_that_reads_as_no_particles():
    made, molecules = make("scene.empty_probability=1")
    for pickable in (True, False):
        _, blocks = blocks_of(made, molecules, pickable=pickable)
        assert len(blocks["particles"]) == 0
        assert "rlnCoordinateX" in blocks["particles"]
        assert len(blocks["optics"]) == 1
