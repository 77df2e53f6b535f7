import io
import json
from dataclasses import replace

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cryopick_ray.errors import PicksError
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.digest import settings_digest
from cryopick_ray.picks.shard import Picked, decode_coverage, decode_shard, encode_shard
from cryopick_ray.picks.shards import PickShards, digests

BROKEN = (ValueError, TypeError, KeyError, OSError, pa.ArrowException)


def found(n, seed=0):
    rng = np.random.default_rng(seed)
    x, y, score = rng.uniform(0, 1000, (3, n)).astype(np.float32)
    return Candidates(x, y, score)


UNIT = [
    Picked("a/1.mrc", "crc", found(5)),
    Picked("a/2.mrc", "crc", found(0)),
    Picked("b.mrc", "crc", None, "torn"),
    Picked("c", "crc", found(3, 1)),
]


def test_a_shard_gives_back_every_candidate_and_every_micrograph():
    table, coverage = decode_shard(encode_shard(UNIT))
    assert [(c.micrograph_id, c.status, c.reason, c.count) for c in coverage] == [
        ("a/1.mrc", "complete", "", 5),
        ("a/2.mrc", "complete", "", 0),
        ("b.mrc", "failed", "torn", 0),
        ("c", "complete", "", 3),
    ]
    assert table["micrograph_id"].to_pylist() == ["a/1.mrc"] * 5 + ["c"] * 3
    assert np.array_equal(table["x_px"].to_numpy(), np.concatenate([found(5).x, found(3, 1).x]))


def test_equal_picks_give_equal_bytes():
    assert encode_shard(UNIT) == encode_shard(list(UNIT))


def test_a_unit_with_no_candidates_at_all_is_a_valid_shard():
    table, coverage = decode_shard(
        encode_shard([Picked("a", "crc", found(0)), Picked("b", "crc", None, "torn")])
    )
    assert len(table) == 0
    assert [c.micrograph_id for c in coverage] == ["a", "b"]


def test_the_digest_follows_the_settings_and_not_their_order():
    assert settings_digest({"a": 1, "b": {"c": 2, "d": 3}}) == settings_digest(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )
    assert settings_digest({"a": 1}) != settings_digest({"a": 2})


def test_the_first_published_shard_of_a_unit_stays(tmp_path):
    shards = PickShards(str(tmp_path), "d", create=True)
    assert shards.publish(UNIT)
    [key] = shards.published()
    before = (tmp_path / key).read_bytes()
    assert not shards.publish([Picked(p.micrograph_id, "crc", found(1)) for p in UNIT])
    assert shards.published() == [key]
    assert (tmp_path / key).read_bytes() == before


def test_a_unit_is_found_by_its_micrographs_in_their_order_and_no_other(tmp_path):
    shards = PickShards(str(tmp_path), "d", create=True)
    assert shards.unit(UNIT) is None
    shards.publish(UNIT)
    assert shards.unit(UNIT) == [micrograph.coverage for micrograph in UNIT]
    assert shards.unit(UNIT[::-1]) is None
    assert shards.unit(UNIT[:2]) is None
    assert shards.unit([replace(UNIT[0], checksum="of a later file"), *UNIT[1:]]) is None
    assert PickShards(str(tmp_path), "e").unit(UNIT) is None


@pytest.mark.parametrize("bit", [0, 5, 7])
def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(bit):
    whole = encode_shard(UNIT)
    table, coverage = decode_shard(whole)
    noticed = 0
    for position in range(bit % 3, len(whole), 3):
        broken = bytearray(whole)
        broken[position] ^= 1 << bit
        for decode, expected in ((decode_shard, (table, coverage)), (decode_coverage, coverage)):
            try:
                assert decode(bytes(broken)) == expected
            except BROKEN:
                noticed += 1
    assert noticed > len(whole) / 3


def test_a_torn_shard_is_named_and_says_what_to_do(tmp_path):
    shards = PickShards(str(tmp_path), "d", create=True)
    shards.publish(UNIT)
    [key] = shards.published()
    whole = (tmp_path / key).read_bytes()
    for length in (0, 4, len(whole) // 2, len(whole) - 30):
        (tmp_path / key).write_bytes(whole[:length])
        with pytest.raises(PicksError, match=f"{key} is damaged.*`resume`"):
            shards.read(key)
        for verified in (True, False):
            [(named, error)] = shards.coverages(verified=verified)
            assert (named, type(error)) == (key, PicksError)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"count": [5, 0, 0, -3]}, "no micrograph can be"),
        ({"count": [5.0, 0, 0, 3]}, "no micrograph can be"),
        ({"count": [10**12, 0, 0, 3]}, "has 8 rows"),
        ({"count": [3, 0, 0, 5]}, "not those that its coverage lists"),
        ({"status": ["complete", "complete", "gone", "complete"]}, "no micrograph can be"),
        ({"micrograph_id": ["c", "a/2.mrc", "b.mrc", "c"]}, "one micrograph twice"),
        ({"micrograph_id": ["a/1.mrc", "a/2.mrc", "b.mrc", 3]}, "no micrograph can be"),
        ({"micrograph_id": ["a/1.mrc"]}, "argument"),
        ({"inverted": [0, 0, 0, 1]}, "no micrograph can be"),
        ({"inverted": [True]}, "argument"),
    ],
)
def test_a_coverage_that_somebody_made_up_is_refused(changed, complaint):
    with pytest.raises(ValueError, match=complaint):
        decode_shard(covering(lambda columns: columns | changed))


def covering(change):
    """Return a shard whose coverage is another, vouched for."""
    file = pq.ParquetFile(pa.BufferReader(encode_shard(UNIT)))
    metadata = dict(file.schema_arrow.metadata)
    coverage = json.dumps(change(json.loads(metadata[b"cryopick.coverage"]))).encode()
    crc = b"%08x" % google_crc32c.value(coverage)
    metadata |= {b"cryopick.coverage": coverage, b"cryopick.coverage_crc": crc}
    buffer = io.BytesIO()
    pq.write_table(file.read().replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def test_a_shard_says_which_negatives_were_picked_and_an_earlier_one_none():
    unit = [UNIT[0], replace(UNIT[3], inverted=True)]
    assert [line.inverted for line in decode_coverage(encode_shard(unit))] == [False, True]
    earlier = covering(lambda columns: {name: columns[name] for name in columns if name != "inverted"})
    assert decode_coverage(earlier) == [micrograph.coverage for micrograph in UNIT]


def test_a_parquet_file_that_is_no_shard_is_refused(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises((KeyError, ValueError)):
        decode_shard((tmp_path / "x.parquet").read_bytes())


def test_digests_lists_what_a_folder_holds(tmp_path):
    names = {settings_digest({"model": model}): {"model": model} for model in ("one", "two")}
    for digest, settings in names.items():
        assert not PickShards(str(tmp_path), digest, create=True).describe(settings | {"threshold": 0.5})
    assert digests(str(tmp_path)) == sorted(names)
    for digest, settings in names.items():
        assert PickShards(str(tmp_path), digest).settings() == settings | {"threshold": 0.5}
    with pytest.raises(PicksError, match="not a folder of picks"):
        PickShards(str(tmp_path), "three").settings()


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"\x00garbage\xff",
        lambda data: data.replace(b"0.5", b"0.1"),
        lambda data: data.replace(b"180.0", b"90.0"),
        lambda data: b"[]",
        lambda data: b"[" * 100_000,
    ],
)
def test_changed_settings_are_refused_and_set_right(tmp_path, harm):
    settings = {"diameter_A": 180.0}
    shards = PickShards(str(tmp_path), settings_digest(settings), create=True)
    shards.describe(settings | {"threshold": 0.5})
    path = tmp_path / shards.digest / "settings.json"
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(PicksError, match=r"settings\.json is damaged .* pick again"):
        shards.settings()
    assert shards.describe(settings | {"threshold": 0.5})
    assert shards.settings() == settings | {"threshold": 0.5}
