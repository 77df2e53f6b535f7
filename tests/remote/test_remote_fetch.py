"""Every file arrives whole or is reported, whatever the network does, and no byte is asked for twice."""

import base64
import hashlib
import threading
import time

import pytest
from archive_server import noise
from downloads import assert_whole, download

from cryopick_ray.empiar import fetcher
from cryopick_ray.empiar.download import Wanted
from cryopick_ray.transfer import http, transfer
from cryopick_ray.transfer.transfer_errors import RemoteError


def test_micrographs_arrive_whole_and_gains_and_movies_stay(archive, micrographs, tmp_path):
    record = download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    assert sorted(path.name for path in (tmp_path / "data/images").iterdir()) == sorted(
        path.rpartition("/")[2] for path in micrographs
    )
    assert record.bytes == sum(len(archive.files[path]) for path in micrographs)
    assert record.endings == dict.fromkeys(micrographs, "")


def test_nothing_is_fetched_twice(archive, micrographs, tmp_path):
    download(tmp_path)
    before = len(archive.log)
    record = download(tmp_path)
    assert record.summary == {"fetched": (6, sum(len(archive.files[path]) for path in micrographs))}
    assert len(archive.log) == before


def test_what_was_deleted_here_is_fetched_again(archive, micrographs, tmp_path):
    download(tmp_path)
    (tmp_path / micrographs[2]).unlink()
    assert list(download(tmp_path).endings) == [micrographs[2]]
    assert_whole(tmp_path, archive, micrographs)


def test_files_that_came_by_other_means_are_taken_as_they_are(archive, micrographs, tmp_path):
    (tmp_path / "data/images").mkdir(parents=True)
    for path in micrographs[:2]:
        (tmp_path / path).write_bytes(archive.files[path])
    (tmp_path / micrographs[2]).write_bytes(b"of another size")
    assert list(download(tmp_path).endings.values()) == [""] * 6
    assert_whole(tmp_path, archive, micrographs)
    assert [archive.sent(path) for path in micrographs[:2]] == [0, 0]


@pytest.mark.parametrize(
    "faults",
    [
        [("status", 500), ("status", 502), ("status", 504)],
        [("status", 429, "1")],
        [("status", 503, "Wed, 21 Oct 2015 07:28:00 GMT")],
        [("cut", 0), ("cut", 1), ("cut", 70_000), ("cut", 70_000)],
        [("cut", 100_000), ("status", 503), ("cut", 50_000)],
        [("slow", 50_000, 0.02)],
    ],
    ids=["5xx", "429 with a wish", "a date long past", "cuts", "cuts and 503", "a slow server"],
)
def test_passing_faults_cost_no_byte_twice(archive, micrographs, tmp_path, faults):
    path = micrographs[0]
    archive.faults[path] = list(faults)
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    assert archive.sent(path) == len(archive.files[path])


def test_a_wish_to_be_left_alone_is_granted_by_all_connections(archive, micrographs, tmp_path):
    archive.faults[micrographs[0]] = [("status", 429, "1")]
    start = time.monotonic()
    download(tmp_path, connections=1)
    assert time.monotonic() - start >= 1
    asked = [path for _, path, *_ in archive.log]
    assert asked.index(next(path for path in asked if "m0" in path)) < asked.index(micrographs[1])


def test_a_wish_for_hours_ends_the_file(archive, micrographs, tmp_path):
    archive.always[micrographs[0]] = ("status", 503, "86400")
    record = download(tmp_path)
    assert "86400 s" in record.endings[micrographs[0]]
    assert_whole(tmp_path, archive, micrographs[1:])


def test_a_file_that_changed_between_two_ranges_starts_anew(archive, micrographs, tmp_path):
    path, other = micrographs[0], noise(77, 150_000)
    archive.faults[path] = [("change", 80_000, other)]
    download(tmp_path)
    assert archive.files[path] == other
    assert_whole(tmp_path, archive, micrographs)
    assert archive.sent(path) == 80_000 + len(other)


def test_a_file_that_changes_into_a_shorter_one_starts_anew(archive, micrographs, tmp_path):
    path = micrographs[0]
    archive.faults[path] = [("change", 80_000, noise(78, 1000))]
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)


def test_a_file_of_the_same_date_and_another_size_is_not_mixed_with_the_old_one(
    archive, micrographs, tmp_path
):
    path = micrographs[0]
    archive.without_validator.add(path)
    archive.headers[path] = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
    archive.faults[path] = [("change", 80_000, noise(79, 250_000))]
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)


def test_the_date_tells_that_a_file_is_the_same(archive, micrographs, tmp_path):
    path = micrographs[0]
    archive.without_validator.add(path)
    archive.headers[path] = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
    archive.faults[path] = [("cut", 80_000)]
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    assert archive.sent(path) == len(archive.files[path])


def test_a_body_without_a_length_is_whole_when_it_ends_and_gone_on_with_when_it_is_cut(
    archive, micrographs, tmp_path
):
    archive.always[micrographs[0]] = ("chunked", 10**9)
    archive.faults[micrographs[1]] = [("chunked", 80_000)]
    archive.faults[micrographs[2]] = [("chunked", 80_000), ("chunked", 80_000)]
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    assert [archive.sent(path) for path in micrographs[:3]] == [
        len(archive.files[path]) for path in micrographs[:3]
    ]


def test_without_a_validator_a_part_is_not_gone_on_with(archive, micrographs, tmp_path):
    path = micrographs[0]
    archive.without_validator.add(path)
    archive.faults[path] = [("cut", 50_000)]
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    assert archive.sent(path) == 50_000 + len(archive.files[path])


def test_a_server_without_ranges_sends_the_whole_again(archive, micrographs, tmp_path):
    path = micrographs[0]
    archive.faults[path] = [("cut", 50_000)]
    archive.always[path] = ("no-ranges",)
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    assert archive.sent(path) == 50_000 + len(archive.files[path])


def test_a_wrong_length_is_reported_and_nothing_half_is_left_under_the_name(archive, micrographs, tmp_path):
    path = micrographs[0]
    archive.always[path] = ("lies", 5000)
    record = download(tmp_path)
    assert record.endings[path]
    assert not (tmp_path / path).exists()
    assert set(record.summary) == {"fetched", "failed"}


def test_a_file_that_is_gone_is_reported_and_tried_again_by_the_next_run(archive, micrographs, tmp_path):
    path = micrographs[0]
    archive.faults[path] = [("status", 404)]
    assert "404" in download(tmp_path).endings[path]
    assert download(tmp_path).endings == {path: ""}


def test_a_checksum_that_is_offered_is_checked(archive, micrographs, tmp_path):
    good, bad = micrographs[:2]
    for path in (good, bad):
        digest = hashlib.sha256(archive.files[path]).digest()
        digest = digest if path == good else bytes(32)
        archive.headers[path] = {"Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:"}
    record = download(tmp_path)
    assert record.endings[good] == ""
    assert "sha256" in record.endings[bad]
    assert not (tmp_path / bad).exists()


def test_a_size_beyond_belief_and_one_beyond_the_disk_are_refused(archive, micrographs, tmp_path):
    archive.always[micrographs[0]] = ("lies", 2**43)
    archive.always[micrographs[1]] = ("lies", 2**41)
    record = download(tmp_path)
    assert "are believed" in record.endings[micrographs[0]]
    assert "are free" in record.endings[micrographs[1]]
    assert archive.sent(micrographs[0]) < 2**20
    assert not list(tmp_path.rglob("*.part"))


def test_a_connection_that_hangs_is_dropped_and_gone_on_with(archive, micrographs, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "SILENCE_S", 0.3)
    path = micrographs[0]
    archive.faults[path] = [("slow", 100_000, 1.0)]
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    assert archive.requests(path) == 2


def test_no_more_connections_than_allowed(archive, micrographs, tmp_path):
    for path in micrographs:
        archive.always[path] = ("slow", 50_000, 0.02)
    download(tmp_path, connections=2)
    assert archive.most_at_once == 2


def test_bandwidth_is_shared_by_all_connections(archive, micrographs, tmp_path):
    total = sum(len(archive.files[path]) for path in micrographs)
    start = time.monotonic()
    download(tmp_path, bytes_per_s=1e6)
    assert time.monotonic() - start >= total / 1e6 - 0.3  # less what may be saved up


def test_the_proxy_that_the_environment_names_is_asked(archive, micrographs, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", archive.url)
    monkeypatch.setenv("CRYOPICK_EMPIAR_API", "http://archive.test/api")
    monkeypatch.setenv("CRYOPICK_EMPIAR_FILES", "http://archive.test/files")
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)


def test_a_server_that_is_away_ends_the_run(archive, micrographs, tmp_path, monkeypatch):
    monkeypatch.setattr(fetcher, "MOST_EXHAUSTED", 3)
    for path in micrographs:
        archive.always[path] = ("status", 503)
    with pytest.raises(RemoteError, match="goes on where it ended"):
        download(tmp_path)
    archive.always.clear()
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)


def test_a_full_disk_ends_the_run_with_its_reason(archive, micrographs, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        download(tmp_path)
    monkeypatch.undo()


def test_an_interrupt_ends_all_threads_and_the_next_run_goes_on(archive, micrographs, tmp_path, monkeypatch):
    for path in micrographs:
        archive.always[path] = ("slow", 20_000, 0.05)

    def interrupted(self):
        while not list(tmp_path.rglob("*.part")):
            time.sleep(0.01)
        raise KeyboardInterrupt

    before = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(fetcher.Fetcher, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            download(tmp_path)
    parts = list(tmp_path.rglob("*.part"))
    assert parts
    archive.always.clear()
    held = {part.name.removesuffix(".part"): part.stat().st_size for part in parts}
    archive.log.clear()
    download(tmp_path)
    assert_whole(tmp_path, archive, micrographs)
    for path in micrographs:
        assert archive.sent(path) == len(archive.files[path]) - held.get(path.rpartition("/")[2], 0)
    assert threading.active_count() <= before + 8  # the server's own


def test_only_what_fits_the_pattern_and_no_more_than_the_limit(archive, micrographs, tmp_path):
    download(tmp_path, Wanted(pattern="gain*", all_roles=True))
    download(tmp_path, Wanted(limit=2))
    held = sorted(path.name for path in (tmp_path / "data/images").iterdir())
    assert held == sorted(["gain_ref.mrc", *(path.rpartition("/")[2] for path in micrographs[:2])])
