import itertools
from dataclasses import replace
from functools import partial

import dask
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import SETTINGS, build, contents, manifest, some_picks

from cryopick_ray.errors import PicksError
from cryopick_ray.passes import build as building
from cryopick_ray.passes import tasks
from cryopick_ray.passes.build import build_table
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks import partitions as parting
from cryopick_ray.picks.coverage import coverage
from cryopick_ray.picks.cuts import cut_at_count
from cryopick_ray.picks.gather import gather
from cryopick_ray.picks.index import INDEX, dataset_folder
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import PickTable, open_table, recut
from cryopick_ray.picks.thresholds import Threshold, auto_threshold


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(10)), st.integers(1, 10))
def test_the_same_picks_give_the_same_bytes_however_they_were_cut_and_ordered(tmp_path_factory, order, size):
    tmp_path = tmp_path_factory.mktemp("cut")
    picked = some_picks()
    one = build(tmp_path, "one", picked, 1)
    other = build(tmp_path, "other", [picked[i] for i in order], size)
    assert contents(one) == contents(other)


@pytest.mark.parametrize("rows", [1, 17, 10_000])
def test_nothing_is_lost_or_doubled_and_all_is_in_order(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(parting, "PARTITION_ROWS", rows)
    picked = some_picks()
    table = build(tmp_path, "t", picked, 3)
    frame = pd.read_parquet(table)
    expected = [
        (p.micrograph_id.partition("/")[0], p.micrograph_id, -s, y, x)
        for p in picked
        if p.candidates
        for x, y, s in zip(p.candidates.x, p.candidates.y, p.candidates.score, strict=True)
    ]
    rows = list(zip(frame.dataset, frame.micrograph_id, -frame.score, frame.y_px, frame.x_px, strict=True))
    assert rows == sorted(expected)
    assert (frame.picked == (frame.score >= 0)).all()
    assert (frame.diameter_A == 150).all()
    assert (frame.model == "log").all()


def test_the_index_lists_every_micrograph_failed_and_empty_ones_included(tmp_path):
    picked = some_picks()
    table = PickTable(build(tmp_path, "t", picked, 4, failed=("s1/unreadable.mrc",)))
    read = {one.micrograph.micrograph_id: one for one in table}
    assert list(read) == sorted(read)
    assert set(read) == {p.micrograph_id for p in picked} | {"s1/unreadable.mrc"}
    assert read["s0/00.mrc"].score.size == 0
    assert read["s0/bad.mrc"].micrograph.reason == "not finite"
    unreadable = read["s1/unreadable.mrc"].micrograph
    assert (unreadable.status, unreadable.reason, unreadable.shape) == ("failed", "torn", None)
    assert read["s0/02.mrc"].micrograph.shape == (1000, 2000)
    assert read["s0/02.mrc"].micrograph.optics is None
    assert read["s1/01.mrc"].micrograph.optics.voltage_kV == 200
    assert sum(len(one.score) for one in table) == sum(len(p.candidates or ()) for p in picked)


def test_the_index_says_which_negatives_were_picked_and_an_earlier_one_none(tmp_path):
    picked = [
        replace(some_pick, inverted=some_pick.micrograph_id.startswith("s1")) for some_pick in some_picks()
    ]
    table = build(tmp_path, "t", picked, 4, failed=("s1/unreadable.mrc",))
    bright = {micrograph.micrograph_id for micrograph in PickTable(table).micrographs if micrograph.inverted}
    assert bright == {one.micrograph_id for one in picked if one.inverted}
    earlier = pq.read_table(table / INDEX).drop_columns(["inverted"]).replace_schema_metadata(None)
    pq.write_table(earlier, table / INDEX)
    assert not any(micrograph.inverted for micrograph in PickTable(table).micrographs)


@pytest.mark.parametrize(("most", "noise"), [(10**6, 0.5), (100, 16)])
def test_each_data_set_is_cut_to_the_count_of_its_own_complete_micrographs(
    tmp_path, monkeypatch, most, noise
):
    monkeypatch.setattr(parting, "PARTITION_ROWS", 150)
    monkeypatch.setattr(building, "THRESHOLD_SCORES", most)
    rng = np.random.default_rng(0)
    picked = []
    for number, n in enumerate((0, 300, 0, 200, 90, 0, 110, 100)):  # four of either, two or one empty
        x, y, score = rng.random((3, n)).astype(np.float32)
        order = np.argsort(-score)
        found = Candidates(x[order], y[order], score[order])
        picked.append(Picked(f"s{number % 2}/{number}.mrc", "crc", found))
    failed = [Picked("s0/bad.mrc", "crc", None, "not finite")]
    choose = partial(cut_at_count, expected=20)
    table = build(
        tmp_path, "t", picked + failed, 3, threshold=None, choose=choose, failed=("s1/unreadable.mrc",)
    )
    counts = pd.read_parquet(table).groupby("dataset")["picked"].sum()
    assert counts["s0"] == pytest.approx(80, abs=noise)
    assert counts["s1"] == pytest.approx(80, abs=noise)


def test_a_new_cut_changes_nothing_but_what_is_picked(tmp_path):
    table = open_table(build(tmp_path, "t", some_picks(), 4))
    for before, after in zip(table, recut(table, 1.0), strict=True):
        assert np.array_equal(after.picked, before.score >= 1)
        assert np.array_equal(after.x_px, before.x_px)


failed_too = st.lists(st.booleans(), min_size=10, max_size=10)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.permutations(range(10)), st.integers(1, 9), failed_too), max_size=4),
    st.permutations(range(10)),
    st.integers(1, 10),
)
def test_overlapping_shards_of_the_same_picks_give_the_same_bytes(tmp_path_factory, late, order, size):
    tmp_path = tmp_path_factory.mktemp("overlap")
    picked = some_picks()
    once = contents(build(tmp_path, "once", picked, 4))
    shards = PickShards(str(tmp_path / "often.picks"), "d", create=True)
    for places, length, failed in late:
        unit = [picked[place] for place in places[:length]]
        shards.publish(
            [
                replace(one, candidates=None, reason="not finite" if one.candidates is None else "killed")
                if fails
                else one
                for one, fails in zip(unit, failed, strict=False)
            ]
        )
    for start in range(0, 10, size):
        shards.publish([picked[place] for place in order[start : start + size]])
    shards.publish(picked)  # a late shard with failures may have taken the name of one before
    often = tmp_path / "often.table"
    build_table(shards, manifest(picked), often, settings=SETTINGS, threshold=Threshold(0.0, "given"))
    assert contents(often) == once


def test_of_unlike_shards_the_complete_one_counts_and_then_that_of_the_smallest_key(tmp_path):
    picked = some_picks()
    shards = PickShards(str(tmp_path / "p"), "d", create=True)
    fewer = Candidates(*(np.ones(1, np.float32) * n for n in (7, 8, 9)))
    units = [[picked[1], picked[2]], [Picked("s1/01.mrc", "crc", fewer)], [picked[0], picked[3]]]
    failed = [Picked(one.micrograph_id, "crc", None, "killed") for one in picked[:4]]
    for unit in [failed, *units]:
        shards.publish(unit)
    covered = coverage(shards, {})
    assert {line.status for _, line in covered.values()} == {"complete"}
    with_it = [key for key in shards.published() if shards.read(key)[1][0].micrograph_id == "s1/01.mrc"]
    assert covered["s1/01.mrc"][0] == min(with_it)
    build_table(shards, manifest(picked[:4]), tmp_path / "t", settings=SETTINGS, threshold=None)
    sizes = {one.micrograph.micrograph_id: len(one.score) for one in PickTable(tmp_path / "t")}
    assert sizes == {name: line.count for name, (_, line) in covered.items()}
    assert sizes["s1/01.mrc"] in (1, len(picked[1].candidates))


def test_no_partition_needs_another(tmp_path, monkeypatch):
    monkeypatch.setattr(parting, "PARTITION_ROWS", 17)
    graphs = []

    def compute(*tasks, **how):
        graphs.extend(dict(task.__dask_graph__()) for task in tasks)
        return dask.compute(*tasks, **how)

    monkeypatch.setattr(tasks, "compute", compute)
    picked = [some_pick for some_pick in some_picks(40) if some_pick.micrograph_id.startswith("s0")]
    parts = list(build(tmp_path, "t", picked, 40).glob("*/*.parquet"))
    assert len(graphs) == len(parts) > 5
    assert all(len(graph) == 1 for graph in graphs)


def test_a_threshold_stands_on_all_scores_or_where_they_are_many_on_the_same_distribution(
    tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    picked = []
    for number in range(50):
        score = np.concatenate([rng.normal(0, 1, 300), rng.normal(5, 1, 100)]).astype(np.float32)
        x, y = rng.uniform(0, 100, (2, 400)).astype(np.float32)
        picked.append(Picked(f"s/{number}", "crc", Candidates(x, y, score)))
    shards = PickShards(str(tmp_path / "p"), "d", create=True)
    shards.publish(picked)
    scores = np.concatenate([one.candidates.score for one in picked])

    def found():
        return build_table(shards, manifest(picked), tmp_path / "t", settings=SETTINGS, threshold=None)["s"]

    assert found() == auto_threshold(scores)
    monkeypatch.setattr(parting, "PARTITION_ROWS", 3000)
    monkeypatch.setattr(building, "THRESHOLD_SCORES", 1000)
    assert found().value == pytest.approx(auto_threshold(scores).value, abs=0.1)
    micrographs = PickTable(tmp_path / "t").micrographs
    partitions = parting.plan_partitions(micrographs, coverage(shards, {}))
    seen = []
    source = partial(gather, shards, diameter_A=150.0, model="log")
    building._cuts(source, [], partitions, micrographs, lambda scores: seen.append(scores.score))
    [thin] = seen
    assert len(thin) == 1000
    below, below_thin = (np.searchsorted(np.sort(of), scores) / len(of) for of in (scores, thin))
    assert np.abs(below - below_thin).max() < 0.005


def test_picks_of_a_micrograph_that_the_store_does_not_hold_are_refused(tmp_path):
    picked = some_picks()
    shards = PickShards(str(tmp_path / "p"), "d", create=True)
    shards.publish(picked)
    with pytest.raises(PicksError, match="does not hold"):
        build_table(shards, manifest(picked[1:]), tmp_path / "t", settings=SETTINGS, threshold=None)


def test_no_picks_at_all_make_a_valid_table(tmp_path):
    nothing = Candidates(*np.empty((3, 0), np.float32))
    table = PickTable(
        build(
            tmp_path, "t", [Picked("s/a", "crc", nothing), Picked("s/b", "crc", nothing)], 1, threshold=None
        )
    )
    assert [len(one.score) for one in table] == [0, 0]


def test_unlike_data_sets_get_unlike_folders():
    names = ["a", "a/b", "a b", "a_b", ".a", "_a", "é", "..", "%2f", "/"]
    folders = [dataset_folder(name) for name in names]
    assert len({folder for folder in folders if folder}) == len(names)
    assert all(a != b for a, b in itertools.combinations(folders, 2))
    assert all("/" not in folder and not folder.startswith((".", "_")) for folder in folders)
