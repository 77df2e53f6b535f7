import struct
import threading

import mrcfile
import numpy as np
import pytest

from cryopick_ray.errors import NodeError, StoreError
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.reader import source_checksum
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore

SETTINGS = IngestSettings(store_pixel_size_A=4.0)
BAD = {"missing.mrc": "no such file", "torn.mrc": "truncated", "nan.mrc": "1 of 15360 pixels are NaN"}


def write(path, seed):
    with mrcfile.new(path) as file:
        file.set_data(np.random.default_rng(seed).normal(300, 20, (120, 128)).astype(np.float32))
        file.voxel_size = 2.0


@pytest.fixture
def sources(tmp_path):
    """Good and bad micrographs in turn, a bad one first."""
    names = ["missing.mrc", "a.mrc", "torn.mrc", "b.mrc", "c.mrc", "nan.mrc"]
    for seed, name in enumerate(names[1:]):
        write(tmp_path / name, seed)
    (tmp_path / "torn.mrc").write_bytes((tmp_path / "torn.mrc").read_bytes()[:5000])
    with (tmp_path / "nan.mrc").open("r+b") as file:
        file.seek(30000)
        file.write(np.float32(np.nan).tobytes())
    return [MicrographSource(name, "set", tmp_path / name, name) for name in names]


@pytest.fixture
def store(tmp_path):
    return MicrographStore(str(tmp_path / "s.zarr"), create=True)


def ingest(store, sources):
    return IngestWorker(store.place.url, SETTINGS).process(sources)


def test_bad_micrographs_are_told_in_order_and_spoil_no_neighbour(store, sources):
    report = ingest(store, sources)
    assert report.complete == 3
    assert [name for name, _ in report.failures] == list(BAD)
    assert all(BAD[name] in reason for name, reason in report.failures)
    manifest = read_manifest(store.place)
    for source in sources:
        row = manifest[source.micrograph_id]
        assert (row.status == "failed") == (source.micrograph_id in BAD)
        if row.status == "failed":
            assert (row.checksum, row.source_shape, row.shape, row.shard_bytes) == ("", (0, 0), (0, 0), 0)
            continue
        pixels = mrcfile.read(source.path)
        assert np.array_equal(store.read_stored(row), prepare(pixels, (60, 64)).pixels.astype(np.float16))
        assert (row.source_shape, row.pixel_size_A) == ((120, 128), 2.0)
        assert row.checksum == source_checksum(source.path)


def test_what_is_doubted_of_a_micrograph_stands_in_its_row(store, tmp_path):
    patches = {"cell.mrc": (44, "<f", 999.0), "axes.mrc": (64, "<3i", 2, 1, 3), "plain.mrc": (0, "")}
    for name, (offset, form, *values) in patches.items():
        write(tmp_path / name, 0)
        raw = bytearray((tmp_path / name).read_bytes())
        struct.pack_into(form, raw, offset, *values)
        (tmp_path / name).write_bytes(raw)
    own, movies, none = ({"pixel_size_A": 2.1}, {"original_pixel_size_A": 0.7}, {})
    says = {
        "a": ("plain.mrc", own),
        "b": ("plain.mrc", movies),
        "c": ("axes.mrc", none),
        "d": ("cell.mrc", none),
    }
    ingest(
        store, [MicrographSource(n, "set", tmp_path / file, n, **said) for n, (file, said) in says.items()]
    )
    rows = read_manifest(store.place)
    assert [rows[name].pixel_size_A for name in "abc"] == [2.1, 2.0, 2.0]
    assert ["2.1 A, the file 2 A" in rows["a"].notes, "0.7 A of the movie" in rows["b"].notes] == [True, True]
    assert rows["c"].notes.startswith("the header's axes 2 1 3")
    assert (rows["d"].status, "`pixel_size_A`" in rows["d"].reason) == ("failed", True)
    assert "not square" in rows["d"].reason


def test_micrographs_in_company_are_ingested_as_alone(store, sources, tmp_path):
    ingest(store, sources)
    apart = MicrographStore(str(tmp_path / "apart.zarr"), create=True)
    for source in sources:
        ingest(apart, [source])
    assert read_manifest(apart.place) == read_manifest(store.place)


def test_seconds_are_told_by_stage_and_no_thread_is_left(store, sources):
    threads = threading.active_count()
    report = ingest(store, sources)
    assert set(report.seconds) == {"read", "prepare", "write"}
    assert min(report.seconds.values()) > 0
    assert threading.active_count() <= threads


def test_a_store_that_cannot_be_written_ends_the_unit(store, sources, monkeypatch):
    def full(self, micrograph_id, image):
        raise StoreError("the disk is full")

    threads = threading.active_count()
    monkeypatch.setattr(MicrographStore, "write", full)
    with pytest.raises(StoreError, match="the disk is full"):
        ingest(store, sources)
    assert threading.active_count() <= threads
    assert read_manifest(store.place) == {}


def test_any_other_error_while_writing_is_that_micrographs_own(store, sources, monkeypatch):
    whole = MicrographStore.write

    def write_but_b(self, micrograph_id, image):
        if micrograph_id == "b.mrc":
            raise OSError("the name is too long")
        return whole(self, micrograph_id, image)

    monkeypatch.setattr(MicrographStore, "write", write_but_b)
    report = ingest(store, sources)
    assert report.complete == 2
    assert ("b.mrc", "the name is too long") in report.failures
    assert read_manifest(store.place)["b.mrc"].shape == (0, 0)


def test_what_is_given_up_is_a_row_with_the_reason(store, sources):
    report = IngestWorker(store.place.url, SETTINGS).give_up(sources[1:2], "it killed its worker twice")
    assert report.failures == (("a.mrc", "it killed its worker twice"),)
    assert read_manifest(store.place)["a.mrc"].reason == "it killed its worker twice"


def test_a_worker_told_to_leave_publishes_what_it_has_and_tells_the_rest(store, sources):
    answers = iter([False] * 3)
    report = IngestWorker(store.place.url, SETTINGS).process(sources, lambda: next(answers, True))
    assert report.complete + len(report.failures) + len(report.undone) == len(sources)
    assert report.undone == tuple(range(3, len(sources)))
    assert set(read_manifest(store.place)) == {source.micrograph_id for source in sources[:3]}


def test_a_worker_where_the_folder_is_missing_starts_not_at_all(store, tmp_path):
    with pytest.raises(NodeError, match="mount it on every node"):
        IngestWorker(store.place.url, SETTINGS, folders=(tmp_path / "not mounted",))
