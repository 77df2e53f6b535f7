import re

import mrcfile
import numpy as np
import pytest
import starfile
from labelled_sources import names

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.simulate import library
from cryopick_ray.simulate.contamination import KINDS
from cryopick_ray.simulate.molecule_files import read_coordinates
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.prepare import prepare_data
from cryopick_ray.training.training_settings import train_settings


class NoEngine:
    """Does no work: what is wrong is told before there is any."""

    has_gpus = False

    def shift(self, kinds):
        raise AssertionError("micrographs were read")


class CountingEngine(SerialEngine):
    """Counts how often workers are brought together."""

    def __init__(self):
        self.shifts = 0

    def shift(self, kinds):
        self.shifts += 1
        return super().shift(kinds)


class Stages(Silence):
    """Keeps what is said of each stage: its name, its micrographs, those done before and since."""

    def __init__(self):
        self.said = []

    def stage(self, name, total, done=0, of="micrographs"):
        self.said.append([name, total, done, 0])

    def report(self, name, report):
        assert name == self.said[-1][0]
        self.said[-1][3] += report.complete


@pytest.fixture
def folder(tmp_path):
    """Three micrographs of 2 A pixels, two of them labelled."""
    for number, name in enumerate("abc"):
        write(tmp_path / "m" / f"{name}.mrc", 2.0, seed=number)
    for name in "ab":
        label(tmp_path / "labels" / f"{name}.star")
    return tmp_path


def write(path, pixel_size_A, seed=0):
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).normal(size=(120, 160)).astype(np.float32)
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(pixels)
        file.voxel_size = pixel_size_A


def label(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n50 60\n")


def prepare(folder, engine, particle_px=10.0, **changes):
    one = {
        "name": "apo",
        "micrographs": [str(folder / "m")],
        "labels": str(folder / "labels"),
        "diameter_A": 40,
    }
    settings = train_settings({"network": "deepem", "data": [one | changes]})
    return prepare_data(settings, particle_px, folder / "out", engine, Silence())


def test_a_list_of_relion_is_read_in_its_project_wherever_one_works(folder, tmp_path_factory, monkeypatch):
    (folder / "Select/job007").mkdir(parents=True)
    (folder / "default_pipeline.star").touch()
    listed = folder / "Select/job007/micrographs.star"
    listed.write_text("data_\n\nloop_\n_rlnMicrographName #1\nm/a.mrc\nm/b.mrc\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    [data] = prepare(folder, SerialEngine(), micrographs=[str(listed)])
    assert [row.row.source for row in data.rows] == [str(folder / "m" / f"{name}.mrc") for name in "ab"]


def test_labelled_micrographs_are_brought_to_the_recipes_scale(folder):
    (one,) = prepare(folder, SerialEngine())
    assert names(one.rows) == ["a.mrc", "b.mrc"]
    assert {row.row.shape for row in one.rows} == {(60, 80)}
    manifest = read_manifest(MicrographStore(one.rows[0].store_url).place)
    assert sorted(manifest) == ["a.mrc", "b.mrc"]  # the one without labels teaches nothing


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": "/nowhere"}, r"data\.0 \(apo\): .*'/nowhere' does not exist; give labels a folder"),
        ({"false_labels": "/nowhere"}, "'/nowhere' does not exist; give false_labels a folder"),
        ({"test": ["z*"]}, r"data\.0 \(apo\): test pattern 'z\*' fits no labelled micrograph of apo"),
        ({"validation": ["c*"]}, r"validation pattern 'c\*' fits no labelled micrograph of apo"),
        ({"test": ["a*"], "exclude": ["a*"]}, r"test pattern 'a\*' fits no labelled"),
        ({"test": ["a*"], "validation": ["a.mrc"]}, "both test and validation"),
        ({"exclude": ["*"]}, "no micrograph of data set apo has labels"),
        ({"micrographs": ["/nowhere"]}, r"data\.0 \(apo\): micrographs '/nowhere'"),
        ({"diameter_A": 400}, r"data\.0 \(apo\): .*check diameter_A and pixel_size_A"),
    ],
)
def test_what_is_wrong_is_told_before_any_work_and_in_the_words_of_the_settings(folder, changes, words):
    with pytest.raises(UsageError, match=words) as caught:
        prepare(folder, NoEngine(), **changes)
    assert "--" not in str(caught.value)
    assert not (folder / "out").exists()


def test_labels_of_no_micrograph_are_told_before_any_work(folder):
    label(folder / "labels" / "z.star")
    with pytest.raises(UsageError, match=r"data\.0 \(apo\): .*has labels of z"):
        prepare(folder, NoEngine())


def test_a_missing_pixel_size_is_asked_for_before_any_work(folder):
    for name in "abc":
        write(folder / "m" / f"{name}.mrc", 0.0)
    with pytest.raises(UsageError, match=r"data\.0 \(apo\): .*with pixel_size_A") as caught:
        prepare(folder, NoEngine())
    assert "--" not in str(caught.value)
    assert len(prepare(folder, SerialEngine(), pixel_size_A=2.0)[0].rows) == 2


def test_a_corrected_pixel_size_needs_another_store_and_says_which_goes(folder):
    prepare(folder, SerialEngine())
    with pytest.raises(UsageError, match=r"delete it to have it made anew.* pixel_size_A is 1\.5") as caught:
        prepare(folder, SerialEngine(), pixel_size_A=1.5)
    assert str(folder / "out" / "stores") in str(caught.value)
    assert "--" not in str(caught.value)


def test_pixels_too_coarse_for_the_recipe_are_refused(folder):
    with pytest.raises(UsageError, match=r"a\.mrc enlarged from 2 to 0\.4 A.*options\.particle_px") as caught:
        prepare(folder, SerialEngine(), particle_px=100.0)
    assert "--" not in str(caught.value)


def test_a_store_too_coarse_for_the_recipe_is_filled_anew(folder):
    prepare(folder, SerialEngine(), particle_px=10.0)
    stores = folder / "out" / "stores"
    (stores / "apo-4A.zarr").rename(stores / "apo-2.5A.zarr")
    made = prepare(folder, SerialEngine(), particle_px=16.0)
    assert {row.row.shape for row in made[0].rows} == {(96, 128)}


TINY = {
    "height_px": 128,
    "width_px": 128,
    "scene": {"particles": 3},
    "microscope": {"defocus_A": 3000},
    "contamination": {kind: {"probability": 0} for kind in KINDS},
}


def simulated(folder, groups, engine=None, particle_px=12.0, events=None, **changes):
    """Prepare groups of molecules; each tells only how it differs from a small one."""
    small = {"molecules": ["rubisco"], "micrographs": 1, "particle_px": 16.0}
    groups = [small | group | {"settings": TINY | group.get("settings", {})} for group in groups]
    settings = train_settings({"network": "heatmap", "simulated": groups} | changes)
    return prepare_data(settings, particle_px, folder, engine or SerialEngine(), events or Silence())


def pixels(one):
    row = one.rows[0]
    return MicrographStore(row.store_url).read(row.row)


def test_groups_of_one_molecule_with_names_of_their_own_are_data_sets_of_their_own(tmp_path):
    groups = [{}, {"name": "crowded", "settings": {"scene": {"particles": 6}}}, {"name": "again"}]
    made = simulated(tmp_path, groups)
    assert [one.settings.name for one in made] == ["rubisco", "rubisco-crowded", "rubisco-again"]
    assert [{row.dataset for row in one.rows} for one in made] == [{one.settings.name} for one in made]
    assert [len(one.rows[0].particles) for one in made] == [3, 6, 3]
    assert len({one.rows[0].store_url for one in made}) == 3
    assert len({one.settings.diameter_A for one in made}) == 1
    assert not np.array_equal(pixels(made[0]), pixels(made[2]))


def test_no_two_molecules_lie_in_the_same_ice(tmp_path):
    """Of about one size, so that equal random numbers would show."""
    specks = {"specks": {"probability": 1, "number": 8}}
    settings = {"microscope": {"defocus_A": [1000, 3000]}, "contamination": specks}
    simulated(tmp_path, [{"molecules": ["rubisco", "hsp90"], "settings": settings}])
    masks = [mrcfile.read(path) > 0 for path in tmp_path.glob("simulated/*/masks/*")]
    assert all(mask.any() for mask in masks)
    assert (masks[0] & masks[1]).sum() < 0.5 * (masks[0] | masks[1]).sum()
    truth = [starfile.read(path)["particles"] for path in tmp_path.glob("simulated/*/truth/*")]
    assert abs(truth[0].rlnDefocusU[0] - truth[1].rlnDefocusU[0]) > 1
    places = [table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy() for table in truth]
    assert np.abs(places[0][0] - places[1][0]).max() > 1


def test_a_seed_makes_the_same_micrographs_whatever_else_is_simulated(tmp_path):
    alone = simulated(tmp_path / "alone", [{"seed": 3}])
    among = simulated(
        tmp_path / "among", [{"molecules": ["hsp90"]}, {"molecules": ["p97", "rubisco"], "seed": 3}]
    )
    other = simulated(tmp_path / "other", [{"seed": 4}])
    assert among[-1].settings.name == "rubisco"
    assert np.array_equal(pixels(alone[0]), pixels(among[-1]))
    assert not np.array_equal(pixels(alone[0]), pixels(other[0]))


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.7, 1.2), (1.25, 1.25)])
def test_a_store_is_as_fine_as_the_largest_scale_needs(tmp_path, scales):
    """And no finer: of 16 px that a simulated particle has, a store keeps what will be shown."""
    (one,) = simulated(tmp_path, [{}], scales=scales)
    assert one.rows[0].row.source_shape == (128, 128)
    assert one.rows[0].row.shape == (2 * round(64 * 12 * scales[1] / 16),) * 2


def test_particles_simulated_just_large_enough_are_enough(tmp_path):
    """Although 30 times 1.1 is a little more than 33 where numbers are rounded."""
    assert simulated(tmp_path, [{"particle_px": 33.0}], particle_px=30.0, scales=[0.9, 1.1])


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ({"settings": {"ice": {"mean": 1}}}, r"simulated\.1 \(rubisco-b\): ice\.mean is not a setting"),
        ({"settings": {"scene": {"packing": 2}}}, r"simulated\.1\.settings\.scene\.packing is 2"),
        ({"settings": {"height_px": 10}}, r"simulated\.1\.settings\.height_px is 10"),
        (
            {"settings": {"scene": {"particles": 999}}},
            r"at most \d+ \(simulated\.1\.settings\.scene\.particles\)",
        ),
        ({"settings": {"scene": {"mixture": [1, 2]}}}, r"\(simulated\.1\.settings\.scene\.mixture\)"),
        (
            {"particle_px": 60, "settings": {"microscope": {"defocus_A": 1.9e5}}},
            r"a smaller simulated\.1\.settings\.microscope",
        ),
        ({"molecules": ["nothing"]}, r"simulated\.1: no molecule 'nothing'.* \(simulated\.1\.molecules\)"),
        ({"particle_px": 11.0}, r"simulated\.1\.particle_px is 11, too coarse"),
    ],
)
def test_what_is_wrong_with_any_group_is_told_before_any_work_and_where(tmp_path, group, words):
    with pytest.raises(UsageError, match=words) as caught:
        simulated(tmp_path / "out", [{}, {"name": "b"} | group], NoEngine())
    assert not {"--", "`"} & set(re.findall(r"--|`", str(caught.value)))
    assert not (tmp_path / "out").exists()


def test_workers_come_together_once_to_simulate_and_once_to_ingest_however_many_data_sets(tmp_path):
    groups = [{"molecules": ["rubisco", "hsp90"]}, {"name": "two", "micrographs": 2}]
    engine, stages = CountingEngine(), Stages()
    simulated(tmp_path, groups, engine, events=stages)
    assert engine.shifts == 2
    assert stages.said == [["simulate", 4, 0, 4], ["ingest", 4, 0, 4]]


def test_what_is_in_place_is_not_made_again_and_no_worker_comes_for_it(tmp_path):
    groups = [{"molecules": ["rubisco", "hsp90"]}, {"name": "two", "micrographs": 2}]
    first = simulated(tmp_path, groups)
    stages = Stages()
    again = simulated(tmp_path, groups, NoEngine(), events=stages)
    assert stages.said == [["simulate", 4, 4, 0], ["ingest", 4, 4, 0]]
    assert [[row.row for row in one.rows] for one in again] == [
        [row.row for row in one.rows] for one in first
    ]
    assert np.array_equal(pixels(again[2]), pixels(first[2]))
    (tmp_path / "simulated/hsp90/micrographs/simulated_000000.mrc").unlink()
    stages = Stages()
    simulated(tmp_path, groups, events=stages)
    assert [line[:2] + line[3:] for line in stages.said] == [["simulate", 4, 1], ["ingest", 4, 1]]


def test_another_simulation_in_a_data_sets_folder_is_refused_before_any_work(tmp_path):
    simulated(tmp_path, [{}])
    files = sorted(tmp_path.rglob("*"))
    changed = [{"name": "new"}, {"settings": {"scene": {"particles": 6}}}]
    with pytest.raises(
        UsageError, match=r"simulated\.1 \(rubisco\): .*rubisco holds a simulation with other"
    ):
        simulated(tmp_path, changed, NoEngine())
    assert sorted(tmp_path.rglob("*")) == files


def test_micrographs_that_cannot_be_made_are_told_with_their_data_set_and_the_others_are_made(tmp_path):
    in_the_way = tmp_path / "simulated/rubisco-barred/truth/simulated_000000.star"
    in_the_way.mkdir(parents=True)
    words = (
        r"simulated\.0 \(rubisco-barred\): 1 micrographs were not simulated; simulated_000000\.mrc: .*truth"
    )
    with pytest.raises(UsageError, match=words):
        simulated(tmp_path, [{"name": "barred"}, {}])
    assert (tmp_path / "simulated/rubisco/micrographs/simulated_000000.mrc").is_file()


def test_a_data_set_that_cannot_be_read_is_told_and_the_others_are_in_their_stores(folder):
    for name in "ab":
        path = folder / "broken" / f"{name}.mrc"
        write(path, 2.0)
        path.write_bytes(path.read_bytes()[:1500])
    common = {"labels": str(folder / "labels"), "diameter_A": 40}
    sets = [("broken", "broken"), ("apo", "m")]
    data = [common | {"name": name, "micrographs": [str(folder / where)]} for name, where in sets]
    settings = train_settings({"network": "deepem", "data": data})
    with pytest.raises(UsageError, match=r"data\.0 \(broken\): none of the 2 .*could be read; a\.mrc: "):
        prepare_data(settings, 10.0, folder / "out", SerialEngine(), Silence())
    assert len(read_manifest(MicrographStore(str(folder / "out/stores/apo-4A.zarr")).place)) == 2


def test_a_molecules_file_is_read_once_for_all_its_data_sets(tmp_path, monkeypatch):
    path = tmp_path / "two.pdb"
    atom = "ATOM  {0:5d}  CA  ALA A{0:4d}    {1:8.3f}{2:8.3f}{3:8.3f}  1.00 20.00           C\n"
    places = np.random.default_rng(0).uniform(-30, 30, (400, 3))
    path.write_text("".join(atom.format(number, *xyz) for number, xyz in enumerate(places, 1)) + "END\n")
    read = []
    monkeypatch.setattr(library, "read_coordinates", lambda one: read.append(one) or read_coordinates(one))
    simulated(tmp_path / "out", [{"molecules": [str(path)]}, {"molecules": [str(path)], "name": "b"}])
    assert read == [path]
