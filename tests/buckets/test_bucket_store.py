"""Stores, shards, manifests and tables in a bucket whose requests fail now and then."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from cryopick_ray.errors import DamagedError, PicksError, StoreError, UnreachableError
from cryopick_ray.micrographs.normalised_image import NormalisedImage
from cryopick_ray.passes.build import TableSettings, build_table
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.store import place as module
from cryopick_ray.store.copies import local_copy
from cryopick_ray.store.layout import shard_key
from cryopick_ray.store.manifest import ManifestRow, publish_part, read_manifest
from cryopick_ray.store.place import Place
from cryopick_ray.store.store import MicrographStore

NUMBERS = np.random.default_rng(7)
IMAGES = {f"sq/{n:02}.mrc": NUMBERS.normal(size=(90 + n, 120)).astype(np.float32) for n in range(8)}
SETTINGS = TableSettings(diameter_A=100.0, model="log", digest="d")
RATE = 0.25


def manifest_row(name, shape, shard_bytes):
    return ManifestRow(
        micrograph_id=name,
        dataset="a b/ü",
        relion_name=name,
        source=f"/data/{name}",
        checksum="crc32c:0",
        source_height_px=shape[0],
        source_width_px=shape[1],
        pixel_size_A=1.0,
        height_px=shape[0],
        width_px=shape[1],
        shard_bytes=shard_bytes,
        voltage_kV=None,
        spherical_aberration_mm=None,
        amplitude_contrast=None,
        status="complete",
        reason="",
    )


def fill(store):
    """Ingest the images in units of three; return the manifest."""
    names = list(IMAGES)
    for start in range(0, len(names), 3):
        rows = []
        for name in names[start : start + 3]:
            size = store.write(name, NormalisedImage(IMAGES[name], 1.0, 2.0))
            rows.append(manifest_row(name, IMAGES[name].shape, size))
        publish_part(store.place, rows)
    return read_manifest(store.place)


def publish_picks(shards):
    for start in range(0, len(IMAGES), 3):
        picked = []
        for number, name in list(enumerate(IMAGES))[start : start + 3]:
            x, y, score = np.random.default_rng(number).random((3, 40)).astype(np.float32)
            picked.append(Picked(name, "crc32c:0", Candidates(x, y, np.sort(score)[::-1])))
        shards.publish(picked)


def contents(place, prefix=""):
    return {key: place.get(key) for key in place.find(prefix)}


def everything(root):
    """Fill a store, publish shards and make the table below ``root``; return all objects."""
    manifest = fill(MicrographStore(f"{root}/s.zarr", create=True))
    shards = PickShards(f"{root}/picks", "d", create=True)
    publish_picks(shards)
    with local_copy(f"{root}/table", index="_micrographs.parquet") as out:
        build_table(shards, manifest, out, settings=SETTINGS, threshold=Threshold(0.5, "given"))
    return contents(Place(root))


def test_nothing_is_lost_doubled_or_changed_by_faults(bucket, tmp_path):
    local = everything(str(tmp_path))
    bucket.proxy.rate = RATE
    assert everything(bucket.url) == local
    store = MicrographStore(f"{bucket.url}/s.zarr")
    rows = read_manifest(store.place)
    assert list(rows) == list(IMAGES)
    assert store.held(rows.values()) == set(IMAGES)
    for name, row in rows.items():
        assert np.array_equal(store.read_stored(row), IMAGES[name].astype(np.float16))
    tables = [list(open_table(root)) for root in (bucket.url, str(tmp_path))]
    assert len(tables[0]) == len(IMAGES)
    for ours, theirs in zip(*tables, strict=True):
        assert ours.micrograph == theirs.micrograph
        assert np.array_equal(ours.score, theirs.score)
    bucket.proxy.rate = 0.0
    assert contents(Place(bucket.url)) == local


def test_a_second_round_of_the_same_work_changes_nothing(bucket):
    once = everything(bucket.url)
    bucket.proxy.rate = RATE
    assert everything(bucket.url) == once


@pytest.mark.parametrize("where", ["bucket", "folder"])
def test_who_reads_while_another_writes_the_same_again_never_misses_it(bucket, tmp_path, where):
    store = MicrographStore(f"{bucket.url if where == 'bucket' else tmp_path}/s.zarr", create=True)
    image = NormalisedImage(IMAGES["sq/00.mrc"], 1.0, 2.0)
    row = manifest_row("sq/00.mrc", image.pixels.shape, store.write("sq/00.mrc", image))
    done, complaints = threading.Event(), []

    def read():
        while not done.is_set():
            try:
                store.read_stored(row)
            except StoreError as error:
                complaints.append(error)
                return
            if not store.holds(row):
                complaints.append("not held")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(25):
        store.write("sq/00.mrc", image)
    done.set()
    for reader in readers:
        reader.join()
    assert complaints == []


def test_damage_and_an_outage_are_told_apart(bucket, monkeypatch):
    store = MicrographStore(f"{bucket.url}/s.zarr", create=True)
    rows = fill(store)
    row = rows["sq/00.mrc"]
    whole = store.place.get(shard_key("sq/00.mrc"))
    for broken in (b"", whole[:-1], whole + b"0", whole[:50] + bytes([whole[50] ^ 1]) + whole[51:]):
        store.place.put(shard_key("sq/00.mrc"), broken)
        with pytest.raises(DamagedError):
            store.read_stored(row)
    store.forget(row)
    assert store.held(rows.values()) == set(IMAGES) - {"sq/00.mrc"}
    with pytest.raises(DamagedError, match="0 bytes"):
        store.read_stored(row)
    monkeypatch.setattr(module, "UNREACHABLE_S", 0.1)
    bucket.proxy.rate, bucket.proxy.faults = 1.0, ("slow down", "reset", "cut")
    with pytest.raises(UnreachableError):
        store.read_stored(rows["sq/01.mrc"])
    bucket.proxy.rate = 0.0
    assert store.write("sq/00.mrc", NormalisedImage(IMAGES["sq/00.mrc"], 1.0, 2.0)) == row.shard_bytes
    assert store.held(rows.values()) == set(IMAGES)


def test_a_micrograph_takes_two_requests_to_write_and_one_to_read(bucket):
    store = MicrographStore(f"{bucket.url}/s.zarr", create=True)
    bucket.proxy.seen.clear()
    size = store.write("a.mrc", NormalisedImage(IMAGES["sq/00.mrc"], 1.0, 2.0))
    assert [method for method, _ in bucket.proxy.seen] == ["PUT", "PUT"]
    assert bucket.proxy.seen[-1][1].endswith("/c/0/0")  # what readers look for comes last
    bucket.proxy.seen.clear()
    store.read_stored(manifest_row("a.mrc", IMAGES["sq/00.mrc"].shape, size))
    assert [method for method, _ in bucket.proxy.seen] == ["GET"]


def test_a_table_that_is_half_there_is_none(bucket):
    everything(bucket.url)
    place = Place(f"{bucket.url}/table")
    parts = [key for key in place.find() if key.endswith("part-00000.parquet")]
    assert len(parts) == 1
    place.put(parts[0], place.get(parts[0])[:-30])
    with pytest.raises(PicksError, match=r"part-00000\.parquet is damaged"):
        list(PickTable(place.url))
    place.delete("_micrographs.parquet")
    with pytest.raises(PicksError, match="is not a table of picks"):
        open_table(bucket.url)


def test_rows_that_do_not_fit_their_shard_are_damage_not_a_large_allocation(bucket):
    store = MicrographStore(f"{bucket.url}/s.zarr", create=True)
    row = fill(store)["sq/00.mrc"]
    for shape in ((91, 120), (90, 119), (10**9, 10**9), (1, 1), (0, 120), (-90, 120)):
        with pytest.raises(DamagedError):
            store.read_stored(replace(row, height_px=shape[0], width_px=shape[1]))
