import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.stages.ledger import covered_ids
from cryopick_ray.store.manifest import ManifestRow


def picked(name, checksum="crc", count=3):
    return Picked(name, checksum, Candidates(*np.ones((3, count), np.float32)))


def row(name, checksum="crc", status="complete"):
    return ManifestRow(name, "set", "", "", checksum, 9, 9, 1.0, 9, 9, 1, None, None, None, status, "")


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1), max_size=6), st.data())
def test_what_is_in_any_whole_shard_is_done_and_damaged_ones_are_removed(tmp_path_factory, units, data):
    tmp_path = tmp_path_factory.mktemp("ledger")
    shards = PickShards(str(tmp_path), "d", create=True)
    for unit in units:
        shards.publish([picked(name) for name in sorted(unit)])
    keys = shards.published()
    damaged = data.draw(st.sets(st.sampled_from(keys))) if keys else set()
    for key in damaged:
        whole = bytearray((tmp_path / key).read_bytes())
        whole[12] ^= 1  # in the rows, which the coverage does not show
        (tmp_path / key).write_bytes(whole)
    covered, complaints = covered_ids(shards, {name: row(name) for name in "abcdefgh"})
    left = shards.published()
    assert sorted({*left, *damaged}) == keys
    assert len(complaints) == len(damaged) == len(keys) - len(left)
    assert covered.keys() == {line.micrograph_id for key in left for line in shards.read(key)[1]}
    assert covered_ids(shards, {}) == (covered, [])


def test_each_shard_is_read_once(tmp_path, monkeypatch):
    shards = PickShards(str(tmp_path), "d", create=True)
    for name in "abc":
        shards.publish([picked(name)])
    asked = []
    get = type(shards.place).get
    monkeypatch.setattr(type(shards.place), "get", lambda self, key: asked.append(key) or get(self, key))
    covered_ids(shards, {name: row(name) for name in "abc"})
    assert sorted(asked) == shards.published()


def test_picks_of_another_image_of_the_same_name_are_told_and_count_for_nothing(tmp_path):
    shards = PickShards(str(tmp_path), "d", create=True)
    shards.publish([picked("a"), picked("b", "other")])
    covered, [complaint] = covered_ids(shards, {"a": row("a"), "b": row("b")})
    assert covered == {"a": "crc"}
    assert complaint.startswith("b: picked from another image")
    shards.publish([picked("b")])
    assert covered_ids(shards, {"a": row("a"), "b": row("b")}) == ({"a": "crc", "b": "crc"}, [])
    assert covered_ids(shards, {"a": row("a"), "b": row("b", "", status="failed")})[0].keys() == {"a"}
    assert covered_ids(shards, {"a": row("a")})[0].keys() == {"a", "b"}
