import numpy as np
import pytest

from cryopick_ray.errors import PicksError
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shards import Picked, PickShards, decode_shard, digests, encode_shard, settings_digest


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


def test_damage_anywhere_in_a_shard_is_noticed_or_harmless(tmp_path):
    shards = PickShards(str(tmp_path), "d", create=True)
    shards.publish(UNIT)
    [key] = shards.published()
    whole = (tmp_path / key).read_bytes()
    table, coverage = shards.read(key)
    noticed = 0
    for position in range(0, len(whole), 37):
        broken = bytearray(whole)
        broken[position] ^= 0x20
        (tmp_path / key).write_bytes(broken)
        try:
            again = shards.read(key)
        except PicksError:
            noticed += 1
        else:
            assert again[0].equals(table)
            assert len(again[1]) == len(coverage)
    assert noticed > 0
    (tmp_path / key).write_bytes(whole[:-30])
    with pytest.raises(PicksError, match=key):
        shards.read(key)


def test_a_parquet_file_that_is_no_shard_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises((KeyError, ValueError)):
        decode_shard((tmp_path / "x.parquet").read_bytes())


def test_digests_lists_what_a_folder_holds(tmp_path):
    for digest in ("one", "two"):
        PickShards(str(tmp_path), digest, create=True).describe({"digest": digest})
    assert digests(str(tmp_path)) == ["one", "two"]
    assert PickShards(str(tmp_path), "two").settings() == {"digest": "two"}
    with pytest.raises(PicksError, match="not a folder of picks"):
        PickShards(str(tmp_path), "three").settings()
