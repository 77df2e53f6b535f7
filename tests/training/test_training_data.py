import mrcfile
import numpy as np
import pytest
from labelled_sources import names
from no_engine import NoEngine

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.prepare import prepare_data
from cryopick_ray.training.training_settings import train_settings


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
    data_set = {
        "name": "apo",
        "micrographs": [str(folder / "m")],
        "labels": str(folder / "labels"),
        "diameter_A": 40,
    }
    settings = train_settings({"network": "deepem", "data": [data_set | changes]})
    return prepare_data(settings, particle_px, folder / "out", engine, SilentEvents())


def test_a_list_of_relion_is_read_in_its_project_wherever_one_works(folder, tmp_path_factory, monkeypatch):
    (folder / "Select/job007").mkdir(parents=True)
    (folder / "default_pipeline.star").touch()
    listed = folder / "Select/job007/micrographs.star"
    listed.write_text("data_\n\nloop_\n_rlnMicrographName #1\nm/a.mrc\nm/b.mrc\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    [data] = prepare(folder, SerialEngine(), micrographs=[str(listed)])
    assert [row.row.source for row in data.rows] == [str(folder / "m" / f"{name}.mrc") for name in "ab"]


def test_labelled_micrographs_are_brought_to_the_recipes_scale(folder):
    (data_set,) = prepare(folder, SerialEngine())
    assert names(data_set.rows) == ["a.mrc", "b.mrc"]
    assert {row.row.shape for row in data_set.rows} == {(60, 80)}
    manifest = read_manifest(MicrographStore(data_set.rows[0].store_url).place)
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
        prepare_data(settings, 10.0, folder / "out", SerialEngine(), SilentEvents())
    assert len(read_manifest(MicrographStore(str(folder / "out/stores/apo-4A.zarr")).place)) == 2
