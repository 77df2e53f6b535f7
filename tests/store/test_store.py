import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from cryopick_ray.errors import DamagedError, StoreError
from cryopick_ray.micrographs.normalised_image import NormalisedImage
from cryopick_ray.store.layout import array_key, shard_key
from cryopick_ray.store.manifest import ManifestRow, publish_part, read_manifest
from cryopick_ray.store.place import Place
from cryopick_ray.store.store import MicrographStore

NOISE = np.random.default_rng(0).normal(size=(300, 1100)).astype(np.float32)


def row(micrograph_id="a/b.mrc", *, shape=NOISE.shape, shard_bytes=0, status="complete", reason=""):
    return ManifestRow(
        micrograph_id=micrograph_id,
        dataset="a",
        relion_name=micrograph_id,
        source=f"/data/{micrograph_id}",
        checksum="crc32c:00000000",
        source_height_px=600,
        source_width_px=2200,
        pixel_size_A=1.0,
        height_px=shape[0],
        width_px=shape[1],
        shard_bytes=shard_bytes,
        voltage_kV=None,
        spherical_aberration_mm=None,
        amplitude_contrast=None,
        status=status,
        reason=reason,
    )


@pytest.fixture
def store(tmp_path):
    return MicrographStore(str(tmp_path / "s.zarr"), create=True)


@pytest.fixture
def stored(store):
    return row(shard_bytes=store.write("a/b.mrc", NormalisedImage(NOISE, 10.0, 2.0)))


def shard_path(store, row):
    return Path(store.place.url, shard_key(row.micrograph_id))


def test_what_is_written_is_read_to_half_precision(store, stored):
    half = NOISE.astype(np.float16)
    assert np.array_equal(store.read_stored(stored), half)
    assert store.read_stored(stored).dtype == np.float16
    assert np.array_equal(store.read(stored), half.astype(np.float32))
    assert store.read(stored).dtype == np.float32


def test_the_affine_normalisation_is_kept_and_any_zarr_reader_can_use_it(store, stored):
    array = zarr.open_array(store.place.url, path=array_key("a/b.mrc"), mode="r")
    raw = array[:].astype(float) * array.attrs["normalisation_scale"] + array.attrs["normalisation_offset"]
    assert np.allclose(raw, NOISE * 2 + 10, atol=0.02)
    assert len(list(zarr.open_group(store.place.url, mode="r").arrays())) == 1


def test_different_shapes_live_in_one_store(store):
    for side in (1, 7, 1024, 1025, 2000):
        image = NOISE[:1, :1] if side == 1 else np.resize(NOISE, (side, side + 1))
        size = store.write(f"{side}.mrc", NormalisedImage(image, 0.0, 1.0))
        assert store.read(row(f"{side}.mrc", shape=image.shape, shard_bytes=size)).shape == image.shape


def test_a_flipped_bit_anywhere_in_the_shard_is_an_error(store, stored):
    path = shard_path(store, stored)
    whole = bytearray(path.read_bytes())
    for position in np.linspace(0, len(whole) - 1, 25, dtype=int):
        broken = whole.copy()
        broken[position] ^= 0x10
        path.write_bytes(broken)
        with pytest.raises(DamagedError, match="damaged"):
            store.read(stored)


@pytest.mark.parametrize("size", [0, 10, None])
def test_a_cut_or_missing_shard_is_an_error_never_zeros(store, stored, size, tmp_path):
    path = tmp_path / "s.zarr" / shard_key(stored.micrograph_id)
    if size is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedError, match="bytes"):
        store.read(stored)


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_an_error(store, value):
    image = NOISE.copy()
    image[5, 5] = value
    size = store.write("nan.mrc", NormalisedImage(image, 0.0, 1.0))
    for read in (store.read, store.read_stored):
        with pytest.raises(DamagedError, match="damaged"):
            read(row("nan.mrc", shard_bytes=size))


def test_the_largest_finite_values_are_none(store):
    image = np.array([[65504, -65504], [-0.0, 6e-8]], np.float32)
    size = store.write("large.mrc", NormalisedImage(image, 0.0, 1.0))
    assert np.array_equal(
        store.read_stored(row("large.mrc", shape=(2, 2), shard_bytes=size)), image.astype("f2")
    )


def test_an_array_of_another_number_type_is_an_error(store, stored):
    zarr.create_array(
        store.place.url, name=array_key("x.mrc"), data=NOISE, shards=NOISE.shape, chunks=NOISE.shape
    )
    size = shard_path(store, row("x.mrc")).stat().st_size
    with pytest.raises(DamagedError, match="damaged"):
        store.read_stored(row("x.mrc", shard_bytes=size))


def test_a_micrograph_the_manifest_calls_failed_cannot_be_read(store, stored):
    with pytest.raises(StoreError, match="too dark"):
        store.read(dataclasses.replace(stored, status="failed", reason="too dark"))


def test_writing_again_gives_the_same_bytes(store, stored):
    before = shard_path(store, stored).read_bytes()
    store.write("a/b.mrc", NormalisedImage(NOISE, 10.0, 2.0))
    assert shard_path(store, stored).read_bytes() == before


def test_writing_another_shape_damages_rows_of_the_old_one_only(store, stored):
    small = NOISE[:200, :300]
    size = store.write("a/b.mrc", NormalisedImage(small, 0.0, 1.0))
    assert store.read(row(shape=small.shape, shard_bytes=size)).shape == small.shape
    with pytest.raises(DamagedError):
        store.read(stored)
    assert zarr.open_array(store.place.url, path=array_key("a/b.mrc"), mode="r").shape == small.shape


def test_a_shard_that_was_forgotten_is_written_anew(store, stored):
    rows = [stored, row("failed.mrc", status="failed"), row("missing.mrc", shard_bytes=5)]
    assert store.held(rows) == {listed.micrograph_id for listed in rows if store.holds(listed)} == {"a/b.mrc"}
    for _ in range(2):  # a second worker may find the same damage
        store.forget(stored)
    assert store.held(rows) == set()
    with pytest.raises(DamagedError):
        store.read(stored)
    assert store.write("a/b.mrc", NormalisedImage(NOISE, 10.0, 2.0)) == stored.shard_bytes
    assert store.held(rows) == {"a/b.mrc"}


def test_opening_a_store_again_keeps_what_it_holds(store, stored):
    assert MicrographStore(store.place.url, create=True).read(stored).shape == NOISE.shape


def test_a_missing_store_and_a_foreign_group_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="cryopick ingest"):
        MicrographStore(str(tmp_path / "empty"))
    with pytest.raises(StoreError):
        MicrographStore(str(tmp_path / "nowhere"))
    zarr.create_group(str(tmp_path / "other.zarr"))
    with pytest.raises(StoreError, match="not a cryopick store"):
        MicrographStore(str(tmp_path / "other.zarr"))


def test_keys_differ_for_different_ids_and_never_escape():
    ids = [
        "a/b.mrc",
        "a_b.mrc",
        "A_b.mrc",
        "../../etc/passwd",
        "é.mrc",
        "è.mrc",
        "x" * 500,
        "." * 9,
        "zarr.json",
    ]
    keys = [array_key(micrograph_id) for micrograph_id in ids]
    assert len({key.lower() for key in keys}) == len(ids)
    assert all("/" not in key and len(key) < 120 and not key.startswith(".") for key in keys)


def test_the_manifest_is_the_union_of_its_parts_and_complete_beats_failed(tmp_path):
    place = Place(str(tmp_path), create=True)
    failed = row("x.mrc", status="failed", reason="torn")
    publish_part(place, [row("b.mrc"), failed])
    publish_part(place, [row("a.mrc")])
    publish_part(place, [row("a.mrc")])
    assert list(read_manifest(place)) == ["a.mrc", "b.mrc", "x.mrc"]
    assert read_manifest(place)["x.mrc"] == failed
    publish_part(place, [row("x.mrc")])
    assert read_manifest(place)["x.mrc"].status == "complete"
    assert len(place.find("manifest")) == 3


def test_a_damaged_manifest_part_is_named(tmp_path):
    place = Place(str(tmp_path), create=True)
    publish_part(place, [row("a.mrc")])
    key = place.find("manifest")[0]
    (tmp_path / key).write_bytes((tmp_path / key).read_bytes()[:-20])
    with pytest.raises(StoreError, match=key):
        read_manifest(place)


def test_the_first_published_object_wins(tmp_path):
    place = Place(str(tmp_path), create=True)
    assert place.put_new("a/b", b"first")
    assert not place.put_new("a/b", b"second")
    assert place.get("a/b") == b"first"
    assert place.get("a/c") is None
    assert place.size("a/c") is None
    assert json.dumps(place.find("a")) == '["a/b"]'
