"""Extractions of runs: from their files, or from their stores."""

import shutil

import numpy as np
import pytest
import starfile
from made_extraction import SIZE_A, extract, images_of

import cryopick_ray
from cryopick_ray.picks.table import open_table
from cryopick_ray.settings.engine_settings import EngineSettings


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


def test_bright_particles_of_a_run_stay_white(folder):
    settings = cryopick_ray.Settings(inputs=["mics"], model="log", diameter_A=30, invert="yes")
    cryopick_ray.run(settings, folder / "run", engine=EngineSettings(engine="serial"))
    extract(picks="run", micrographs=None)
    extract("dark", picks="run", micrographs=None, invert=True)
    images = images_of("out/particles.star")
    np.testing.assert_array_equal(images, -images_of("dark/particles.star"))
    assert np.median(images[:, 10:14, 10:14].mean(axis=(1, 2))) > 0.2


def test_a_coarser_store_gives_boxes_in_angstroms(folder):
    settings = cryopick_ray.Settings(inputs=["mics"], model="log", diameter_A=60, store_pixel_size_A=4)
    cryopick_ray.run(settings, folder / "run", engine=EngineSettings(engine="serial"))
    fine = extract(picks="run", micrographs=None, box=["80A"], scale_to=[20]).files[0]
    shutil.rmtree("mics")
    coarse = extract("stored", picks="run", micrographs=None, box=["80A"]).files[0]
    assert (coarse.from_store, coarse.boxes_px, coarse.pixel_sizes_A) == (3, (20,), (4.0,))
    rows = [starfile.read(one.star)["particles"] for one in (fine, coarse)]
    places = [
        np.column_stack([row[f"rlnCoordinate{a}"] - row[f"rlnOrigin{a}Angst"] / SIZE_A for a in "XY"])
        for row in rows
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
