"""Extractions: what stacks and tables hold, from which pixels, and what is done again."""

import json
import shutil
import signal
import subprocess
import sys
import time

import mrcfile
import numpy as np
import pytest
import starfile

import cryopick_ray
from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.particles.particles import read_particles
from cryopick_ray.picks.table import open_table
from cryopick_ray.runs.extracted import extract_particles
from cryopick_ray.settings import EngineSettings

SHAPE, SIZE_A, EACH = (152, 200), 2.0, 12
PLACES = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnAutopickFigureOfMerit #3\n"


def make_micrographs(folder, names, seed=0, each=EACH, shape=SHAPE):
    rng = np.random.default_rng(seed)
    (folder / "mics").mkdir()
    (folder / "places").mkdir()
    for name in names:
        with mrcfile.new(folder / f"mics/{name}.mrc") as mrc:
            mrc.set_data(rng.normal(100, 5, shape).astype(np.float32))
            mrc.voxel_size = SIZE_A
        places = rng.uniform(20, np.array(shape[::-1]) - 20, (each, 2))
        rows = "".join(
            f"{x:.3f} {y:.3f} {score:.4f}\n" for (x, y), score in zip(places, rng.random(each), strict=True)
        )
        (folder / f"places/{name}.star").write_text(PLACES + rows)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three micrographs and coordinates of other programs."""
    make_micrographs(tmp_path, "abc")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def extract(out="out", picks="places", resume=False, events=None, **settings):
    wanted = {"picks": picks, "box": ["24"], "micrographs": "mics"} | settings
    made = ExtractSettings(**wanted)
    return extract_particles(made, out, SerialEngine(), events or Silence(), resume=resume)


def images_of(star):
    rows = starfile.read(star, always_dict=True)["particles"]
    places = rows["rlnImageName"].str.split("@", expand=True).to_numpy()
    return np.stack([mrcfile.read(stack)[int(number) - 1] for number, stack in places])


def files_of(folder):
    """Return the bytes of all files but those that name the folder or its owner."""
    left_out = ("extract.json", ".lock", "config.yaml")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in left_out
    }


class Counted(Silence):
    """Remembers how many micrographs were done."""

    def __init__(self):
        self.done = 0

    def report(self, name, report):
        self.done += report.complete


def test_particles_of_a_file_are_where_it_says(folder):
    outcome = extract()
    (made,) = outcome.files
    assert (made.particles, made.micrographs, outcome.failures) == (3 * EACH, 3, ())
    blocks = starfile.read(made.star)
    rows = blocks["particles"]
    for name, own in rows.groupby("rlnMicrographName"):
        said = starfile.read(folder / f"places/{name.split('/')[1][0]}.star")
        for axis in "XY":
            found = own[f"rlnCoordinate{axis}"] - own[f"rlnOrigin{axis}Angst"] / SIZE_A
            np.testing.assert_allclose(found, said[f"rlnCoordinate{axis}"], atol=1e-3)
        np.testing.assert_allclose(own["rlnAutopickFigureOfMerit"], said["rlnAutopickFigureOfMerit"])
        assert name.startswith("mics/")
    assert blocks["optics"]["rlnImagePixelSize"].tolist() == [SIZE_A]


def test_images_are_the_micrographs_negatives(folder):
    extract()
    rows = starfile.read(folder / "out/particles.star")["particles"].iloc[0]
    pixels = mrcfile.read(folder / rows["rlnMicrographName"])
    x, y = int(rows["rlnCoordinateX"]), int(rows["rlnCoordinateY"])
    image = images_of("out/particles.star")[0]
    crop = pixels[y - 12 : y + 12, x - 12 : x + 12]
    assert np.corrcoef(image.ravel(), crop.ravel())[0, 1] < -0.98
    extract("bright", invert=False)
    np.testing.assert_array_equal(images_of("bright/particles.star")[0], -image)


def test_half_precision_is_half_the_disk(folder):
    extract()
    extract("half", float16=True)
    whole, half = images_of("out/particles.star"), images_of("half/particles.star")
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, whole, rtol=1e-3, atol=1e-6)


def test_several_sizes_come_of_one_reading(folder):
    outcome = extract(box=["32", "80A"], scale_to=[32, 20])
    assert [one.boxes_px for one in outcome.files] == [(32,), (20,)]
    assert [one.pixel_sizes_A for one in outcome.files] == [(2.0,), (4.0,)]
    extract("large", box=["32"])
    np.testing.assert_array_equal(images_of(outcome.files[0].star), images_of("large/particles.star"))
    assert images_of(outcome.files[1].star).shape == (3 * EACH, 20, 20)


def test_without_a_ctf_there_are_no_columns_of_it_and_it_is_said(folder):
    outcome = extract()
    assert not any("Defocus" in name for name in starfile.read("out/particles.star")["particles"])
    assert any("nothing is known of the CTF" in note for note in outcome.notes)
    assert any("are a guess" in note for note in outcome.notes)
    assert read_particles(folder / "out/particles.star").ctf is None


def test_the_ctf_of_some_micrographs_is_written_and_of_the_others_said(folder):
    rows = "mics/a.mrc 12000 11000 30\nmics/b.mrc 13000 12000 40\nmics/c.mrc nan nan nan\n"
    names = ("rlnMicrographName", "rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
    head = "".join(f"_{name} #{n}\n" for n, name in enumerate(names, 1))
    (folder / "mics.star").write_text(f"data_micrographs\n\nloop_\n{head}{rows}")
    outcome = extract(micrographs="mics.star")
    found = starfile.read("out/particles.star")["particles"].groupby("rlnMicrographName")["rlnDefocusU"]
    assert found.first().tolist() == [12000, 13000, 0]
    assert f"{EACH} particles have a defocus of 0: nothing is known of their CTF" in outcome.notes


def test_truth_of_simulations_keeps_poses_and_classes(folder):
    row = "mics/a.mrc 50.4 60.6 10 20 30 12000 11000 45 2 1\n"
    names = ["MicrographName", "CoordinateX", "CoordinateY", "AngleRot", "AngleTilt", "AnglePsi"]
    names += ["DefocusU", "DefocusV", "DefocusAngle", "ClassNumber", "OpticsGroup"]
    head = "".join(f"_rln{name} #{n}\n" for n, name in enumerate(names, 1))
    (folder / "truth.star").write_text(f"data_particles\n\nloop_\n{head}{row}")
    extract(picks="truth.star")
    (found,) = starfile.read("out/particles.star")["particles"].to_dict("records")
    said = {"rlnAngleRot": 10, "rlnAngleTilt": 20, "rlnAnglePsi": 30, "rlnClassNumber": 2}
    said |= {"rlnDefocusU": 12000, "rlnDefocusV": 11000, "rlnDefocusAngle": 45}
    assert {name: found[name] for name in said} == said
    assert found["rlnOriginXAngst"] == pytest.approx(-0.4 * SIZE_A)
    assert found["rlnOriginYAngst"] == pytest.approx(0.4 * SIZE_A)


def test_what_has_no_picture_is_left_out_and_said(folder):
    with mrcfile.open(folder / "mics/a.mrc", "r+") as mrc:
        mrc.data[:40, :40] = np.nan
        mrc.data[100:140, 100:150] = 7
    places = "20 20 1\n60 60 1\n120 120 1\n-20 50 1\n2 100 1\n"
    for name in "bc":
        (folder / f"places/{name}.star").unlink()
    (folder / "places/a.star").write_text(PLACES + places)
    (made,) = extract().files
    assert (made.particles, made.outside, made.without_data, made.beyond_edge) == (2, 1, 2, 1)
    assert starfile.read(made.star)["particles"]["rlnCoordinateX"].tolist() == [60, 2]
    assert np.isfinite(images_of(made.star)).all()


def test_a_micrograph_that_fails_is_told_and_tried_again(folder):
    whole = (folder / "mics/b.mrc").read_bytes()
    (folder / "mics/b.mrc").write_bytes(whole[:5000])
    outcome = extract()
    ((name, reason),) = outcome.failures
    assert name == "b.mrc"
    assert "truncated" in reason
    assert outcome.files[0].particles == 2 * EACH
    (folder / "mics/b.mrc").write_bytes(whole)
    events = Counted()
    assert extract(resume=True, events=events).files[0].particles == 3 * EACH
    assert events.done == 1
    extract("other")
    assert files_of(folder / "out").keys() == files_of(folder / "other").keys()


def test_what_is_there_is_not_done_again(folder):
    extract()
    before = files_of(folder / "out")
    with pytest.raises(UsageError, match="`resume`"):
        extract()
    with pytest.raises(UsageError, match=r"box: \['24'\] -> \['26'\]"):
        extract(resume=True, box=["26"])
    (folder / "out/particles/c.mrcs").unlink()
    (folder / "out/particles/a.mrcs").write_bytes(b"short")
    events = Counted()
    extract(resume=True, events=events)
    assert events.done == 2
    assert files_of(folder / "out") == before


def test_picks_and_files_that_changed_are_extracted_again(folder):
    extract()
    (folder / "places/a.star").write_text(PLACES + "60 60 1\n")
    with mrcfile.open(folder / "mics/b.mrc", "r+") as mrc:
        mrc.data[:] = -mrc.data
    events = Counted()
    extract(resume=True, events=events)
    assert events.done == 2
    extract("new")
    assert (folder / "out/particles/b.mrcs").read_bytes() == (folder / "new/particles/b.mrcs").read_bytes()
    assert len(starfile.read("out/particles.star")["particles"]) == 2 * EACH + 1


def test_nothing_is_written_through_a_link(folder):
    (folder / "elsewhere").mkdir()
    (folder / "out").mkdir()
    (folder / "out/particles").symlink_to(folder / "elsewhere")
    with pytest.raises(UsageError, match="symbolic link"):
        extract()
    assert list((folder / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"box": ["25"]}, "even number"),
        ({"box": ["-3"]}, "even number"),
        ({"box": ["24", "30"], "scale_to": [12]}, "one each"),
        ({"scale_to": [13]}, "even number"),
        ({"micrographs": None}, "give `micrographs`"),
    ],
)
def test_wrong_settings_are_refused(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        extract(**settings)
    assert not (folder / "out").exists()


def test_boxes_that_no_micrograph_has_fail_with_what_mends_it(folder):
    outcome = extract(box=["20"], scale_to=[24])
    assert len(outcome.failures) == 3
    assert "`scale_to`" in outcome.failures[0][1]
    outcome = extract("wide", background_radius_A=200)
    assert "`background_radius_A`" in outcome.failures[0][1]


def test_images_that_no_star_file_can_name_are_not_made(folder):
    outcome = extract("it's")
    assert len(outcome.failures) == 3
    assert "rename" in outcome.failures[0][1]
    assert not list((folder / "it's").rglob("*.mrcs"))


def test_names_with_blanks_are_one_word(folder):
    (folder / "mics/a.mrc").rename(folder / "mics/a b.mrc")
    (folder / "places/a.star").rename(folder / "places/a b.star")
    assert extract("my out").files[0].particles == 3 * EACH
    assert len(read_particles(folder / "my out/particles.star").files) == 3


def test_a_bucket_to_write_to_is_refused(folder):
    with pytest.raises(UsageError, match="bucket"):
        extract("s3://bucket/out")


@pytest.fixture
def run(folder):
    settings = cryopick_ray.Settings(inputs=["mics"], model="log", diameter_A=30, store_pixel_size_A=SIZE_A)
    cryopick_ray.run(settings, folder / "run", engine=EngineSettings(engine="serial"))
    return folder / "run"


def test_a_runs_picks_come_from_its_files_and_where_they_are_gone_from_its_store(folder, run):
    table = open_table(run)
    picked = sum(int(one.picked.sum()) for one in table)
    assert picked > 10
    (made,) = extract(picks="run", micrographs=None).files
    assert (made.particles, made.from_store) == (picked, 0)
    shutil.move("mics/a.mrc", "a.mrc")
    outcome = extract("stored", picks="run", micrographs=None)
    (stored,) = outcome.files
    assert (stored.particles, stored.from_store) == (picked, 1)
    one, other = images_of(made.star), images_of(stored.star)
    assert (abs(one - other).max(axis=(1, 2)) < 0.02).all()
    assert "1 of them from the store" in outcome.text()


def test_a_run_without_a_ctf_has_it_from_a_list(folder, run):
    names = ("rlnMicrographName", "rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
    head = "".join(f"_{name} #{n}\n" for n, name in enumerate(names, 1))
    rows = "".join(f"mics/{name}.mrc {12000 + n} 11000 30\n" for n, name in enumerate("abc"))
    (folder / "ctf.star").write_text(f"data_micrographs\n\nloop_\n{head}{rows}")
    outcome = extract(picks="run", micrographs="ctf.star")
    assert outcome.failures == ()
    found = starfile.read("out/particles.star")["particles"].groupby("rlnMicrographName")["rlnDefocusU"]
    assert found.unique().map(list).to_dict() == {
        f"mics/{name}.mrc": [12000 + n] for n, name in enumerate("abc")
    }


def test_a_ctf_that_is_fitted_anew_in_the_same_list_is_taken(folder):
    head = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnDefocusU #2\n"
    for defocus_A in (12000, 15000):
        rows = "".join(f"mics/{name}.mrc {defocus_A}\n" for name in "abc")
        (folder / "ctf.star").write_text(head + rows)
        extract(micrographs="ctf.star", resume=defocus_A != 12000)
    assert set(starfile.read("out/particles.star")["particles"]["rlnDefocusU"]) == {15000}


def test_nothing_is_said_of_the_ctf_of_no_particles(folder):
    rows = "".join(f"mics/{name}.mrc 12000\n" for name in "abc")
    (folder / "ctf.star").write_text(
        f"data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnDefocusU #2\n{rows}"
    )
    outcome = extract(micrographs="ctf.star", box=["24"], scale_to=[26])
    assert len(outcome.failures) == 3
    assert not any("nothing is known of the CTF" in note for note in outcome.notes)


def test_bright_particles_of_a_run_stay_white(folder):
    settings = cryopick_ray.Settings(inputs=["mics"], model="log", diameter_A=30, invert="yes")
    cryopick_ray.run(settings, folder / "run", engine=EngineSettings(engine="serial"))
    extract(picks="run", micrographs=None)
    extract("dark", picks="run", micrographs=None, invert=True)
    images = images_of("out/particles.star")
    np.testing.assert_array_equal(images, -images_of("dark/particles.star"))
    assert np.median(images[:, 10:14, 10:14].mean(axis=(1, 2))) > 0.2


def test_doubts_are_told_again(folder):
    (folder / "list.star").write_text(
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographPixelSize #2\n"
        + "".join(f"mics/{name}.mrc 2.5\n" for name in "abc")
    )
    notes = extract(micrographs="list.star").notes
    assert any("(3 micrographs)" in note and "2.5" in note for note in notes)
    assert extract(micrographs="list.star", resume=True).notes == notes


def test_a_coarser_store_gives_boxes_in_angstroms(folder):
    settings = cryopick_ray.Settings(inputs=["mics"], model="log", diameter_A=60, store_pixel_size_A=4)
    cryopick_ray.run(settings, folder / "run", engine=EngineSettings(engine="serial"))
    fine = extract(picks="run", micrographs=None, box=["80A"], scale_to=[20]).files[0]
    shutil.rmtree("mics")
    coarse = extract("stored", picks="run", micrographs=None, box=["80A"]).files[0]
    assert (coarse.from_store, coarse.boxes_px, coarse.pixel_sizes_A) == (3, (20,), (4.0,))
    rows = [starfile.read(one.star)["particles"] for one in (fine, coarse)]
    places = [
        np.column_stack([one[f"rlnCoordinate{a}"] - one[f"rlnOrigin{a}Angst"] / SIZE_A for a in "XY"])
        for one in rows
    ]
    np.testing.assert_allclose(*places, atol=2e-3)
    names = ["rlnCoordinateX", "rlnCoordinateY"]
    same = np.isclose(rows[0][names], rows[1][names]).all(axis=1)
    assert same.sum() > 3
    middles = (images_of(one.star)[same, 4:-4, 4:-4] for one in (fine, coarse))
    alike = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in zip(*middles, strict=True)]
    assert np.mean(alike) > 0.95  # of white noise: a box a pixel off has about 0
    outcome = extract("odd", picks="run", micrographs=None, box=["30"])
    assert "give `box` in angstroms" in outcome.failures[0][1]


def test_a_killed_extraction_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [f"m{n:02d}" for n in range(40)]
    make_micrographs(tmp_path, names, each=200)
    command = [sys.executable, "-m", "cryopick_ray", "extract", "places", "--micrographs", "mics"]
    command += ["--box", "32", "--scale-to", "16", "--engine", "serial", "--out"]
    with subprocess.Popen([*command, "killed"], stderr=subprocess.DEVNULL) as process:
        parts = tmp_path / "killed/parts/particles"
        while len(list(parts.glob("*.rows")) if parts.is_dir() else []) < 3:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert len(list(parts.glob("*.rows"))) < len(names)
    assert not (tmp_path / "killed/particles.star").exists()
    for path in (tmp_path / "killed").rglob("*.mrcs"):
        assert mrcfile.validate(path)
    subprocess.run([*command, "killed", "--resume"], check=True, capture_output=True)
    subprocess.run([*command, "whole"], check=True, capture_output=True)
    killed, whole = files_of(tmp_path / "killed"), files_of(tmp_path / "whole")
    killed = {name: data for name, data in killed.items() if not name.endswith(".part")}
    whole = {name: data.replace(b"@whole/", b"@killed/") for name, data in whole.items()}
    assert killed == whole
    assert json.loads((tmp_path / "killed/extract.json").read_text())["files"][0]["particles"] == 8000
