"""What the files say of filaments, and what the image shows of them."""

import numpy as np
import pytest
import starfile
from scipy.ndimage import map_coordinates

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.filaments.segments import traces_of
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.settings.config import assigned
from cryopick_ray.simulate.contamination import KINDS
from cryopick_ray.simulate.library import list_filaments, load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation import simulate_all
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.simulate.truth_star import truth_star

CLEAN = [f"contamination.{kind}.probability=0" for kind in KINDS]
QUIET = [
    *CLEAN,
    *("ice.noise_rad2_A2=0", "ice.thickness_variation=0"),
    *("exposure.dose_e_per_A2=1000", "exposure.dqe_zero=1", "exposure.dqe_nyquist=1"),
    *("exposure.mtf_nyquist=1", "exposure.contrast=1", "exposure.contrast_spread=0"),
    *("microscope.b_factor_A2=0", "microscope.drift_A=0", "microscope.astigmatism_A=0"),
]
ONE = [
    *("scene.filaments.number=1", "scene.filaments.length=60", "scene.filaments.background=0"),
    *("scene.filaments.tangles=0", "scene.filaments.broken=0", "scene.filaments.bundled=0"),
]
WIDTH_PX = 24.0


def plan(names, *texts, shape=(384, 448)):
    names = [names] if isinstance(names, str) else names
    height_px, width_px = shape
    pixel_size_A = load_molecule(names[0]).diameter_A / WIDTH_PX
    given = {"height_px": height_px, "width_px": width_px, "pixel_size_A": pixel_size_A}
    return simulation_settings(assigned({"molecules": names, **given}, texts))


def make(names, *texts, number=0, **kwargs):
    settings = plan(names, *texts, **kwargs)
    molecules = [load_molecule(name) for name in settings.molecules]
    return simulate(settings, molecules, number), molecules


def read(made, molecules, folder, *, pickable=True):
    path = folder / "one.star"
    path.write_text(truth_star(made, molecules, "micrographs/a.mrc", pickable=pickable))
    return starfile.read(path, always_dict=True)


def by_tube(particles):
    return [rows for _, rows in particles.groupby("rlnHelicalTubeID")]


@pytest.fixture(scope="module")
def rich():
    """A micrograph with everything that a filament can meet."""
    return make("actin", *RICH, shape=(640, 640), number=2)


RICH = [
    *("scene.filaments.density=0.3", "scene.filaments.tangles=2", "scene.filaments.broken=0.5"),
    *("scene.filaments.bundled=0.4", "scene.filaments.background=0.02", "scene.filaments.persistence=60"),
    *("contamination.carbon.probability=1", "exposure.streaks_px=9"),
]


def test_segments_follow_each_filament_as_relion_counts(rich, tmp_path):
    made, molecules = rich
    blocks = read(made, molecules, tmp_path)
    particles = blocks["particles"]
    assert list(blocks) == ["optics", "molecules", "particles"]
    assert blocks["molecules"]["rlnReferenceImage"].tolist() == ["actin"]
    assert particles["rlnHelicalTubeID"].unique().tolist() == list(
        range(1, len(made.filaments.traces(pickable=True)) + 1)
    )
    for column, value in {"rlnAngleTiltPrior": 90, "rlnAnglePsiFlipRatio": 0.5, "rlnOpticsGroup": 1}.items():
        assert set(particles[column]) == {value}
    assert set(particles["rlnDefocusU"].round(1)) == {round(made.microscope.defocus.u_A, 1)}
    for rows in by_tube(particles):
        x, y = rows["rlnCoordinateX"].to_numpy(), rows["rlnCoordinateY"].to_numpy()
        track = rows["rlnHelicalTrackLengthAngst"].to_numpy() / made.microscope.pixel_size_A
        steps = np.hypot(np.diff(x), np.diff(y))
        assert track[0] == 0
        assert (np.diff(track) <= WIDTH_PX / 2 + 0.01).all()
        assert steps == pytest.approx(np.diff(track), rel=0.02, abs=0.01)
        assert track[-1] >= 2 * WIDTH_PX - 0.01
        assert min(x.min(), y.min()) >= 0
        assert max(x.max(), y.max()) <= 639
        middle = np.deg2rad(-rows["rlnAnglePsiPrior"].to_numpy())
        along = np.arctan2(np.diff(y), np.diff(x))
        turned = np.angle(np.exp(1j * (along - middle[:-1])))
        assert np.abs(np.rad2deg(turned)).max() < 15  # half a width further on, in a bend of 3 widths


def test_nothing_that_counts_lies_on_contamination_or_in_a_tangle(rich, tmp_path):
    made, molecules = rich
    particles = read(made, molecules, tmp_path)["particles"]
    column, row = particles[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy().round().astype(int).T
    assert made.mask.mean() > 0.05
    # between its points an axis is straight, and so may cut a corner
    assert made.mask[row, column].mean() < 0.005
    assert not (made.junk[row, column] == Junk.CARBON).any()
    assert (made.junk == Junk.AGGREGATE).any()
    assert (made.junk[row, column] == Junk.AGGREGATE).mean() < 0.05  # clumps of single subunits are small


def test_decoys_are_the_other_pieces_and_what_lies_about(rich, tmp_path):
    made, molecules = rich
    blocks = read(made, molecules, tmp_path, pickable=False)
    assert list(blocks) == ["optics", "molecules", "particles", "singles"]
    assert len(blocks["singles"]) == len(made.scene) > 0
    assert blocks["particles"]["rlnHelicalTubeID"].nunique() == len(made.filaments.traces(pickable=False)) > 0


def test_the_files_give_back_the_axes(rich, tmp_path):
    made, molecules = rich
    particles = read(made, molecules, tmp_path)["particles"]
    traces = traces_of(
        *(particles[name].to_numpy() for name in ("rlnCoordinateX", "rlnCoordinateY", "rlnHelicalTubeID"))
    )
    drawn = [trace for _, trace in made.filaments.traces(pickable=True)]
    assert [trace.length_px for trace in traces] == pytest.approx([one.length_px for one in drawn], rel=0.01)
    for trace, two in zip(traces, drawn, strict=True):
        assert trace.points[[0, -1]] == pytest.approx(two.points[[0, -1]], abs=0.01)


@pytest.mark.parametrize("name", [one.name for one in list_filaments() if one.family != "thin"])
def test_the_axis_of_the_truth_lies_in_the_middle_of_what_is_seen(name):
    near_focus = [
        "microscope.defocus_A=8000",
        "scene.filaments.persistence=80",
        "microscope.amplitude_contrast=1",
    ]
    made, _ = make(name, *QUIET, *ONE, *near_focus, shape=(512, 512))
    _, axis = max(made.filaments.traces(pickable=True), key=lambda trace: trace[1].length_px)
    track = np.arange(WIDTH_PX, axis.length_px - WIDTH_PX, 1.0)
    direction = axis.direction_rad(track, WIDTH_PX)
    across = np.arange(-1.2 * WIDTH_PX, 1.2 * WIDTH_PX + 0.1, 0.5)
    normal = np.column_stack([-np.sin(direction), np.cos(direction)])
    places = axis.at(track)[:, None] + across[None, :, None] * normal[:, None]
    matter = -map_coordinates(made.pixels, places[..., ::-1].transpose(2, 0, 1), order=1, mode="nearest")
    profile = matter.mean(axis=0)
    profile = np.maximum(profile - np.median(profile[np.abs(across) > 0.9 * WIDTH_PX]), 0)
    profile[np.abs(across) > 0.75 * WIDTH_PX] = 0
    assert abs(np.average(across, weights=profile)) < 0.1 * WIDTH_PX


def test_equal_seeds_give_equal_micrographs_and_files():
    first, again, other = (make("reca-like", f"seed={seed}", *RICH) for seed in (3, 3, 4))
    assert first[0].pixels.tobytes() == again[0].pixels.tobytes()
    for pickable in (True, False):
        texts = [truth_star(*one, "a.mrc", pickable=pickable) for one in (first, again, other)]
        assert texts[0] == texts[1] != texts[2]


def test_what_is_said_of_filaments_changes_no_particle():
    some = [make("globule", *RICH)[0], make("globule", *RICH[-2:])[0]]
    assert some[0].filaments is None
    assert some[0].pixels.tobytes() == some[1].pixels.tobytes()


def test_particles_among_filaments_are_decoys(tmp_path):
    made, molecules = make(
        ["actin", "globule"], *CLEAN, "scene.filaments.background=0.05", "scene.aggregates=0"
    )
    assert not made.scene.pickable.any()
    assert set(read(made, molecules, tmp_path)["particles"]["rlnClassNumber"]) == {1}
    singles = read(made, molecules, tmp_path, pickable=False)["singles"]
    assert set(singles["rlnClassNumber"]) == {1, 2}  # free subunits, and globules


def test_an_empty_micrograph_has_neither_filaments_nor_singles(tmp_path):
    made, molecules = make("actin", "scene.empty_probability=1")
    blocks = read(made, molecules, tmp_path)
    assert len(blocks["particles"]) == len(made.scene) == 0
    assert "rlnHelicalTubeID" in blocks["particles"]
    noise = make("globule", "scene.empty_probability=1")[0].pixels
    assert made.pixels.shape == noise.shape


def test_a_simulation_of_filaments_writes_the_files_that_others_do(tmp_path):
    settings = plan("helix:globule:40:-70", "micrographs=2", "scene.filaments.density=0.2")
    assert simulate_all(settings, tmp_path, SerialEngine(), Silence(), store_url=None) == []
    for folder, suffix in {"micrographs": "mrc", "masks": "mrc", "truth": "star", "decoys": "star"}.items():
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == [
            f"simulated_{number:06d}.{suffix}" for number in range(2)
        ]
    blocks = starfile.read(tmp_path / "truth" / "simulated_000000.star", always_dict=True)
    assert blocks["molecules"]["rlnReferenceImage"].tolist() == ["helix-globule-40--70"]
    assert blocks["particles"]["rlnHelicalTubeID"].nunique() > 1
