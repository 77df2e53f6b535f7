"""No file is lost or fetched by two, whoever is killed at whatever moment."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from archive_server import ENTRY
from downloads import assert_whole, download

from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.errors import UsageError
from cryopick_ray.transfer.response import RefusedFile, RemoteFile
from cryopick_ray.transfer.transfer_errors import RemoteError

ANY = ("listed", "partial")
FETCH = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from downloads import download
download(Path(sys.argv[2]), connections=2)
"""


def listed(folder: Path, *names: str) -> Manifest:
    manifest = Manifest(folder, ENTRY)
    manifest.list_files([RemoteFile(f"data/{name}", 10) for name in names], frames=1, data_format="MRC")
    manifest.select("data", role=None, fits=lambda path: True, limit=None)
    return manifest


def claimed(manifest: Manifest) -> list[str]:
    rows = iter(lambda: manifest.claim(ANY), None)
    return [row.path for row in rows]


def test_two_runs_share_the_files_and_neither_has_one_of_the_other(tmp_path):
    names = [f"{number:02}.mrc" for number in range(20)]
    with listed(tmp_path, *names) as one, listed(tmp_path, *names) as two:
        mine = [one.claim(ANY).path for _ in range(7)]
        theirs = claimed(two)
        assert sorted(mine + theirs) == [f"data/{name}" for name in names]
        assert not two.is_settled(ANY)
        for path in mine:
            one.fetched(path, 10, "crc32c:0", keep=False)
        for path in theirs:
            two.ended(path, "failed", "bad")
        assert two.is_settled(ANY)
        assert claimed(one) == []
        assert one.is_settled(ANY)


def test_what_a_leaving_run_had_in_hand_is_free(tmp_path):
    with listed(tmp_path, "a.mrc", "b.mrc") as staying:
        with listed(tmp_path, "a.mrc", "b.mrc") as leaving:
            assert len(claimed(leaving)) == 2
            assert claimed(staying) == []
        assert not staying.is_settled(ANY)
        assert claimed(staying) == ["data/a.mrc", "data/b.mrc"]


def test_a_file_put_back_comes_first(tmp_path):
    with listed(tmp_path, "a.mrc", "b.mrc", "c.mrc") as manifest:
        first = manifest.claim(ANY)
        manifest.put_back(first.path)
        assert claimed(manifest) == ["data/a.mrc", "data/b.mrc", "data/c.mrc"]


def test_a_listing_read_twice_changes_nothing(tmp_path):
    with listed(tmp_path, "a.mrc") as manifest:
        manifest.claim(ANY)
        manifest.fetched("data/a.mrc", 10, "crc32c:0", keep=False)
        manifest.list_files([RemoteFile("data/a.mrc", 99)], frames=1, data_format="")
        manifest.select("data", role=None, fits=lambda path: True, limit=None)
        assert manifest.summary() == {"fetched": (1, 10)}
        assert claimed(manifest) == []


def test_refused_names_are_kept_with_their_reason_and_never_chosen(tmp_path):
    with Manifest(tmp_path, ENTRY) as manifest:
        manifest.list_files(
            [RefusedFile("data/'..'", "leads out"), RemoteFile("data/a.mrc")], frames=1, data_format=""
        )
        manifest.select("data", role=None, fits=lambda path: True, limit=None)
        assert claimed(manifest) == ["data/a.mrc"]
        (refused,) = manifest.of_role("data", "refused", 9)
        assert (refused.state, refused.reason) == ("failed", "leads out")


def test_worse_images_of_an_exposure_and_other_folders_are_left_out(tmp_path):
    names = ["x/a.mrc", "x/a_DW.mrc", "x/a_noDW.mrc", "x/b_noDW.mrc", "x/a_fractions.tif", "y/a.mrc"]
    with listed(tmp_path, *names) as manifest:
        manifest.select("data/x", role="micrograph", fits=lambda path: True, limit=None)
        assert claimed(manifest) == ["data/x/a_DW.mrc", "data/x/b_noDW.mrc"]
        assert manifest.counts("data/x") == {"micrograph": 2, "duplicate": 2, "movie": 1}
        assert manifest.counts("data/y") == {"micrograph": 1}


def test_a_set_named_after_gain_of_function_is_not_gain_references(tmp_path):
    with listed(tmp_path, *[f"gain_of_function_{number}.mrc" for number in range(40)]) as manifest:
        assert manifest.counts("data") == {"micrograph": 40}
    with listed(tmp_path / "other" / "", "gain.mrc", *[f"{n}.mrc" for n in range(40)]) as manifest:
        assert manifest.counts("data") == {"micrograph": 40, "gain": 1}


def test_a_damaged_manifest_is_told_and_its_files_are_not_fetched_again(archive, micrographs, tmp_path):
    download(tmp_path)
    manifest = tmp_path / ".empiar/manifest.sqlite"
    manifest.write_bytes(manifest.read_bytes()[:5000] + b"rubbish" * 3000)
    with pytest.raises(RemoteError, match="delete"):
        download(tmp_path)
    shutil.rmtree(tmp_path / ".empiar")
    archive.log.clear()
    assert set(download(tmp_path).summary) == {"fetched"}
    assert sum(archive.sent(path) for path in micrographs) == 0


def test_another_image_set_of_the_same_folder_has_its_own_roles(tmp_path):
    with listed(tmp_path, "a.tif") as manifest:
        assert manifest.counts("data") == {"micrograph": 1}
        manifest.list_files([RemoteFile("data/a.tif", 10)], frames=38, data_format="TIFF")
        assert manifest.counts("data") == {"movie": 1}


def test_a_folder_of_another_entry_is_refused(tmp_path):
    listed(tmp_path, "a.mrc").__exit__(None, None, None)
    with pytest.raises(UsageError, match=r"EMPIAR-10999.*`out`"):
        Manifest(tmp_path, "10017")


def run(folder: Path) -> subprocess.Popen:
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, here, str(folder)], env=os.environ | {"PYTHONPATH": "."}
    )


def test_killed_in_mid_download_another_run_goes_on_where_it_was(archive, micrographs, tmp_path):
    for path in micrographs:
        archive.always[path] = ("slow", 10_000, 0.05)
    process = run(tmp_path)
    deadline = time.monotonic() + 60
    while sum(part.stat().st_size for part in tmp_path.rglob("*.part")) < 50_000:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    here = {part.name.removesuffix(".part"): part.stat().st_size for part in tmp_path.rglob("*.part")}
    whole = [path for path in micrographs if (tmp_path / path).exists()]
    archive.always.clear()
    time.sleep(0.2)
    archive.log.clear()
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    for path in micrographs:
        expected = len(archive.files[path]) - here.get(path.rpartition("/")[2], 0)
        assert archive.sent(path) == (0 if path in whole else expected)
    assert not list((tmp_path / ".empiar/owners").iterdir())


def test_killed_between_renaming_and_noting_it_is_not_fetched_again(archive, micrographs, tmp_path):
    download(tmp_path)
    with Manifest(tmp_path, ENTRY) as manifest:
        manifest.ended(micrographs[0], "partial")
    archive.log.clear()
    assert download(tmp_path).endings == {micrographs[0]: ""}
    assert archive.sent(micrographs[0]) == 0


def test_two_processes_at_once_share_the_work(archive, micrographs, tmp_path):
    for path in micrographs:
        archive.always[path] = ("slow", 20_000, 0.1)
    processes = [run(tmp_path), run(tmp_path)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert_whole(tmp_path, archive, micrographs)
    for path in micrographs:
        assert archive.sent(path) == len(archive.files[path])


def test_a_run_whose_partner_is_killed_does_its_share_too(archive, micrographs, tmp_path):
    for path in micrographs:
        archive.always[path] = ("slow", 20_000, 0.1)
    one, two = run(tmp_path), run(tmp_path)
    while archive.most_at_once < 4:
        time.sleep(0.02)
    one.kill()
    one.wait()
    assert two.wait(60) == 0
    assert_whole(tmp_path, archive, micrographs)
