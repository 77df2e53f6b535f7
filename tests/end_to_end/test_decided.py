"""What people decide of a run's picks, from their files to what RELION reads."""

import numpy as np
import pandas as pd
import starfile
import yaml
from micrograph_files import LOG
from scipy.spatial import cKDTree

from cryopick_ray.passes.decisions import Decision
from cryopick_ray.passes.notebook import Notebook
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.pictures import PictureShelf
from cryopick_ray.store.place import Place
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.table_labels import read_table_labels

SERIAL = ["--engine", "serial"]
IDS = [f"square{square}/{number:02d}.mrc" for square in (0, 1) for number in range(6)]


def places(frame, name):
    own = frame[(frame.micrograph_id == name) & frame.picked]
    return {(round(float(x), 1), round(float(y), 1)) for x, y in zip(own.x_px, own.y_px, strict=True)}


def exported(folder, name):
    """Return the places in the STAR file of a micrograph."""
    [path] = [path for path in folder.rglob("*.star") if name.removesuffix(".mrc") in path.as_posix()]
    rows = next(iter(starfile.read(path, always_dict=True).values()))
    return np.column_stack([rows.rlnCoordinateX, rows.rlnCoordinateY])


def are_alike(found, frame, name):
    """Tell whether places are those that are picked in a table, in any order, up to rounding."""
    own = frame[(frame.micrograph_id == name) & frame.picked]
    away, nearest = cKDTree(found).query(np.column_stack([own.x_px, own.y_px]))
    return len(found) == len({*nearest}) == len(own) and away.max() < 0.01


def test_two_people_s_decisions_reach_coordinates_and_labels_and_are_taken_back(phantoms, cryopick, tmp_path):
    run = tmp_path / "run"
    start = ["run", phantoms / "micrographs", *LOG, "--out", run, *SERIAL]
    assert cryopick(*start)[0] == 0
    before = pd.read_parquet(run / "table")
    one, other, out, junked = IDS[:4]
    first = before[(before.micrograph_id == one) & before.picked].iloc[0]
    disc = before[(before.micrograph_id == junked) & before.picked].iloc[0]
    gone = (round(float(first.x_px), 1), round(float(first.y_px), 1))
    with Notebook(run / "curation", "anna") as anna, Notebook(run / "curation", "bo") as bo:
        anna.append([Decision(one, "remove", first.x_px, first.y_px), Decision(out, "exclude")])
        bo.append([Decision(other, "add", 33.5, 44.5)])
        bo.append([Decision(junked, "junk", disc.x_px, disc.y_px, 30)])
        anna.append([Decision(other, "exclude")])
        anna.undo()
    status, _, errors = cryopick("run", "--out", run, "--resume", "--curation", run / "curation", *SERIAL)
    assert status == 0, errors
    assert "curation" not in errors
    after = pd.read_parquet(run / "table")
    assert places(after, one) == places(before, one) - {gone}
    assert places(after, other) >= places(before, other) | {(33.5, 44.5)}
    assert places(after, out) == set()
    here = (after.micrograph_id == junked) & (np.hypot(after.x_px - disc.x_px, after.y_px - disc.y_px) <= 30)
    assert here.any()
    assert not after[here].picked.any()
    for name in IDS[4:]:
        assert places(after, name) == places(before, name)
    assert cryopick("export", run, "--format", "star", "--out", tmp_path / "star")[0] == 0
    for name in (one, other, junked):
        assert are_alike(exported(tmp_path / "star", name), after, name)
    labels = read_table_labels(run, None)
    assert labels.excluded == {out.removesuffix(".mrc")}
    assert len(labels.false.particles[one.removesuffix(".mrc")]) == 1
    assert len(labels.false.particles[junked.removesuffix(".mrc")]) == here.sum()
    kept = yaml.safe_load((run / "config.yaml").read_text())["selection"]["curation"]
    assert kept == [str(run / "curation")]
    assert cryopick("run", "--out", run, "--resume", "--set", "selection.curation=[]", *SERIAL)[0] == 0
    pd.testing.assert_frame_equal(pd.read_parquet(run / "table"), before)


def test_a_run_of_an_earlier_version_goes_on_with_its_one_file(phantoms, cryopick, tmp_path):
    run, file = tmp_path / "run", tmp_path / "c.csv"
    file.write_text(f"micrograph_id,action,x_px,y_px\n{IDS[0]},exclude,,\n")
    start = [
        "run",
        phantoms / "micrographs",
        *LOG,
        "--out",
        run,
        *SERIAL,
        "--curation",
        file,
        "--no-pictures",
    ]
    assert cryopick(*start)[0] == 0
    assert not (run / "pictures").exists()
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["selection"]["curation"] = str(file)
    del config["pictures"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    status, _, errors = cryopick("run", "--out", run, "--resume", *SERIAL)
    assert status == 0, errors
    assert places(pd.read_parquet(run / "table"), IDS[0]) == set()


def test_a_run_keeps_a_picture_of_each_micrograph(serial_run):
    shelf = PictureShelf(Place(str(serial_run)))
    rows = read_manifest(MicrographStore(f"{serial_run}/store.zarr").place)
    assert len(rows) == 12
    assert all(shelf.find(name, row.checksum) for name, row in rows.items())
