"""An entry larger than the disk: everything comes once, and never more than allowed lies here."""

import threading
import time

import pytest
from archive_server import ENTRY
from downloads import Record

from cryopick_ray.empiar.download import Wanted, open_stream
from cryopick_ray.empiar.source import EmpiarSource
from cryopick_ray.transfer.transfer_errors import RemoteError

KEEP = 450_000
"""Two of the six."""


def stream(folder, keep_bytes=KEEP, events=None):
    source = EmpiarSource(connections=3)
    return open_stream(
        source, ENTRY, folder, Wanted(), events or Record(), keep_bytes=keep_bytes, say=lambda text: None
    )


def size_of(folder):
    sizes = []
    for path in folder.rglob("*.mrc*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return sum(sizes)


class Watch:
    """Looks at a folder again and again for how much lies in it."""

    def __init__(self, folder):
        self.folder, self.most, self._stop = folder, 0, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _look(self):
        while not self._stop.is_set():
            self.most = max(self.most, size_of(self.folder))
            time.sleep(0.002)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_every_image_comes_once_and_the_disk_holds_no_more_than_allowed(
    archive, micrographs, tmp_path, batch_size
):
    came = []
    with Watch(tmp_path) as watch, stream(tmp_path) as (_, files):
        for batch in files.batches(batch_size):
            for file in batch:
                assert file.path.read_bytes() == archive.files[file.remote_path]
                came.append(file.remote_path)
            files.done(file.remote_path for file in batch)
    assert sorted(came) == micrographs
    assert 0 < watch.most <= KEEP
    assert size_of(tmp_path) == 0
    assert all(archive.sent(path) == len(archive.files[path]) for path in micrographs)


def test_what_is_done_never_comes_again_and_what_is_not_comes_from_the_disk(archive, micrographs, tmp_path):
    with stream(tmp_path) as (_, files):
        first = files.take(2)
        files.done([first[0].remote_path])
    left = first[1].remote_path
    archive.log.clear()
    with stream(tmp_path) as (_, files):
        came = []
        for batch in files.batches(1):
            came += [file.remote_path for file in batch]
            files.done([batch[0].remote_path])
    assert sorted(came) == sorted(set(micrographs) - {first[0].remote_path})
    assert archive.sent(left) == 0


def test_a_consumer_that_forgets_to_say_done_is_told(archive, tmp_path):
    with stream(tmp_path) as (_, files), pytest.raises(RemoteError, match="none is done"):
        for _ in files.batches(2):
            pass


def test_taking_does_not_wait_longer_than_asked(archive, tmp_path):
    with stream(tmp_path) as (_, files):
        held = files.take(2)
        assert len(held) == 2
        start = time.monotonic()
        assert files.take(1, timeout_s=0.2) == []
        assert time.monotonic() - start < 5
        assert not files.is_exhausted
        files.done(file.remote_path for file in held)
        assert files.take(1)


def test_a_file_larger_than_what_is_kept_fails_and_the_others_come(archive, micrographs, tmp_path):
    archive.add(micrographs[3], bytes(KEEP + 1))
    record = Record()
    with stream(tmp_path, events=record) as (_, files):
        came = []
        for batch in files.batches(2):
            came += [file.remote_path for file in batch]
            files.done(file.remote_path for file in batch)
    assert sorted(came) == sorted(set(micrographs) - {micrographs[3]})
    assert "at a time" in record.endings[micrographs[3]]
    assert size_of(tmp_path) == 0


def test_what_could_not_be_used_is_deleted_and_tried_again_by_the_next_run(archive, micrographs, tmp_path):
    with stream(tmp_path, 10**7) as (_, files):
        batch = files.take(6)
        files.failed(batch[0].remote_path, "not a micrograph")
        files.done(file.remote_path for file in batch[1:])
        assert files.is_exhausted or files.take(1) == []
    assert size_of(tmp_path) == 0
    with stream(tmp_path, 10**7) as (_, files):
        (again,) = files.take(6)
        assert again.remote_path == batch[0].remote_path


def test_sizes_that_the_listing_understates_do_not_break_the_bound(archive, micrographs, tmp_path):
    archive.listed_bytes = dict.fromkeys(micrographs, 2000)
    came = []
    with Watch(tmp_path) as watch, stream(tmp_path) as (_, files):
        for batch in files.batches(1):
            came += [file.remote_path for file in batch]
            files.done(file.remote_path for file in batch)
    assert sorted(came) == micrographs
    assert watch.most <= KEEP


def test_faults_do_not_break_the_bound(archive, micrographs, tmp_path):
    for path in micrographs:
        archive.faults[path] = [
            ("cut", 60_000),
            ("status", 503),
            ("change", 100_000, archive.files[path][::-1]),
        ]
    with Watch(tmp_path) as watch, stream(tmp_path) as (_, files):
        for batch in files.batches(2):
            for file in batch:
                assert file.path.read_bytes() == archive.files[file.remote_path]
            files.done(file.remote_path for file in batch)
    assert watch.most <= KEEP
