"""Pictures that pick workers make as they go."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cryopick_ray.settings.run_settings import PickSettings
from cryopick_ray.stages.pick_worker import PickWorker
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.pictures import PictureShelf, make_pictures
from cryopick_ray.store.place import Place
from cryopick_ray.store.store import MicrographStore


def pick(store, run, pictures, parts=1):
    """Pick a store into a run, in so many units; return the reports."""
    rows = sorted(read_manifest(store.place).values(), key=lambda row: row.micrograph_id)
    settings = PickSettings(model="log", diameter_A=150)
    (run / "picks").mkdir(parents=True, exist_ok=True)
    url = str(run) if pictures else None
    worker = PickWorker(store.place.url, str(run / "picks"), "d", settings, "cpu", url)
    return [worker.process(rows[at::parts]) for at in range(parts)]


def shards(run):
    return {path.name: path.read_bytes() for path in (run / "picks" / "d").iterdir()}


def test_picks_are_the_same_with_and_without_pictures_and_all_that_can_be_read_have_one(store, tmp_path):
    with_them, without = tmp_path / "with", tmp_path / "without"
    [report] = pick(store, with_them, pictures=True)
    pick(store, without, pictures=False)
    assert shards(with_them) == shards(without)
    assert not (without / "pictures").exists()
    assert report.notes == ()
    shelf = PictureShelf(Place(str(with_them)))
    for name, row in read_manifest(store.place).items():
        found = shelf.find(name, row.checksum)
        assert found == (None if name == "2.mrc" else make_pictures(store.read_stored(row)))


def test_what_is_there_is_not_made_again_however_the_work_is_cut(store, tmp_path):
    pick(store, tmp_path / "run", pictures=True)
    made = sorted((tmp_path / "run" / "pictures").iterdir())
    before = [path.stat().st_mtime_ns for path in made[1:]]
    made[0].unlink()
    for path in (tmp_path / "run" / "picks" / "d").iterdir():
        path.unlink()
    pick(store, tmp_path / "run", pictures=True, parts=3)
    assert sorted((tmp_path / "run" / "pictures").iterdir()) == made
    assert [path.stat().st_mtime_ns for path in made[1:]] == before


def test_pictures_that_cannot_be_made_are_told_and_fail_no_pick(store, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "pictures").write_text("in the way")
    [report] = pick(store, run, pictures=True)
    assert (report.complete, report.failures) == (5, ())
    [note] = report.notes
    assert note.startswith("5 pictures were not made: ")
    pick(store, tmp_path / "without", pictures=False)
    assert shards(run) == shards(tmp_path / "without")


PAINTER = """
import sys
import numpy as np
from cryopick_ray.store.pictures import PictureShelf, make_pictures
from cryopick_ray.store.place import Place
shelf = PictureShelf(Place(sys.argv[1]))
pixels = np.random.default_rng(0).normal(size=(700, 700)).astype(np.float16)
print("ready", flush=True)
for number in range(10**6):
    shelf.put(f"{int(sys.argv[2]) + number}.mrc", "crc", make_pictures(pixels))
    print(number, flush=True)
"""


def test_what_is_killed_leaves_pictures_whole_or_absent(tmp_path):
    shelf, begun = PictureShelf(Place(str(tmp_path))), 0
    for pause_s in (0.1, 0.15, 0.2, 0.25, 0.3):
        command = [sys.executable, "-c", PAINTER, str(tmp_path), str(begun)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as painter:
            assert painter.stdout.readline() == "ready\n"
            time.sleep(pause_s)
            os.kill(painter.pid, signal.SIGKILL)
            told = len(painter.stdout.read().split())
        for number in range(begun, begun + told):
            assert shelf.find(f"{number}.mrc", "crc") is not None
        for path in Path(tmp_path / "pictures").glob("*.jpg"):
            assert path.read_bytes().endswith(b"\xff\xd9")
        begun += told + 1
    assert begun > 6


def test_a_store_of_micrographs_has_no_pictures_in_it(store, tmp_path):
    before = MicrographStore(store.place.url).place.find()
    pick(store, tmp_path / "run", pictures=True)
    assert MicrographStore(store.place.url).place.find() == before
