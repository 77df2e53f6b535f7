import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import build, contents, some_picks

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.passes.unheeded import unheeded
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks import partitions
from cryopick_ray.picks.columns import COLUMNS
from cryopick_ray.picks.shard import Picked, decode_shard, encode_shard
from cryopick_ray.picks.table import PickTable, recut
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.settings.selection_settings import SelectionSettings

CHOSEN = SelectionSettings(edge_A=6, min_distance_A=8, most_picks=5, largest_A=160)


def sized(picked, seed=3):
    """Return what a picker found, with a size for each."""
    rng = np.random.default_rng(seed)
    made = []
    for one in picked:
        found = one.candidates
        if found is not None and len(found):
            sizes = rng.uniform(100, 200, len(found)).astype(np.float32)
            found = Candidates(found.x, found.y, found.score, more={"size_A": sizes})
        made.append(Picked(one.micrograph_id, one.checksum, found, one.reason))
    return made


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(10)), st.integers(1, 10), st.sampled_from([1, 17, 500_000]))
def test_a_selection_gives_the_same_picks_however_the_work_was_cut(tmp_path_factory, order, size, rows):
    tmp_path = tmp_path_factory.mktemp("cut")
    picked = sized(some_picks())
    one = build(tmp_path, "one", picked, 1, selection=CHOSEN)
    with pytest.MonkeyPatch.context() as patch:
        other = build(tmp_path, "other", [picked[i] for i in order], size, selection=CHOSEN)
        assert contents(one) == contents(other)
        patch.setattr(partitions, "PARTITION_ROWS", rows)
        parts = build(tmp_path, "parts", picked, size, selection=CHOSEN)
    assert pd.read_parquet(parts).equals(pd.read_parquet(one))


def test_without_its_selection_the_table_is_what_it_was_and_each_reason_is_there(tmp_path):
    picked = sized(some_picks(20))
    plain = contents(build(tmp_path, "t", picked, 3))
    chosen = build(tmp_path, "t", picked, 3, selection=CHOSEN)
    frame = pd.read_parquet(chosen)
    assert (frame.picked == (frame.unpicked == "")).all()
    said = {word for words in frame.unpicked for word in words.split(", ")} - {""}
    assert said == {"below threshold", "near edge", "duplicate", "wrong size", "surplus"}
    assert PickTable(chosen).made.passes == (
        {"edge_A": 6.0}, {"min_distance_A": 8.0}, {"largest_A": 160.0}, {"most_picks": 5},
    )  # fmt: skip
    assert contents(build(tmp_path, "t", picked, 3)) == plain


def test_sizes_go_from_shard_to_table_and_back(tmp_path):
    picked = sized(some_picks())
    rows, _ = decode_shard(encode_shard(picked))
    expected = np.concatenate([p.candidates.more["size_A"] for p in picked if p.candidates])
    assert np.array_equal(rows["size_A"].to_numpy(), expected)
    table = PickTable(build(tmp_path, "t", picked, 2))
    own = {p.micrograph_id: p.candidates for p in picked if p.candidates is not None}
    for one in table:
        if len(one):
            found = own[one.micrograph.micrograph_id]
            order = np.lexsort((found.x, found.y, -found.score))
            assert sorted(one.more["size_A"]) == sorted(found.more["size_A"][order])
            assert np.array_equal(one.score, found.score[order])


@pytest.mark.parametrize("name", list(COLUMNS))
def test_what_is_not_known_of_a_candidate_stays_unknown(name):
    column = COLUMNS[name]
    values = column.nothing(3)
    values[1] = "log" if name == "source" else 7
    kept = column.to_arrow(values)
    assert kept.null_count == 2
    assert kept.type == column.type
    assert np.array_equal(column.to_numpy(kept), values, equal_nan=values.dtype.kind == "f")


def test_a_table_of_a_table_is_that_table(tmp_path, monkeypatch):
    monkeypatch.setattr(partitions, "PARTITION_ROWS", 40)
    one = build(tmp_path, "t", sized(some_picks(30)), 4, failed=("s1/unreadable.mrc",), selection=CHOSEN)
    write_table(PickTable(one), tmp_path / "again", PickTable(one).made)
    assert contents(tmp_path / "again") == contents(one)
    with pytest.raises(UsageError, match="is no table"):
        write_table(PickTable(one), tmp_path)


def test_micrographs_with_a_verdict_are_excluded_and_their_counts_stay(tmp_path):
    rng = np.random.default_rng(0)
    picked = []
    for number in range(8):
        n = 40 if number < 7 else 1
        x, y = rng.uniform(0, 900, (2, n)).astype(np.float32)
        picked.append(Picked(f"s0/{number}.mrc", "crc", Candidates(x, y, np.ones(n, np.float32))))
    plain = PickTable(build(tmp_path, "plain", picked, 3))
    verdicts = {micrograph.micrograph_id: micrograph.verdict for micrograph in plain.micrographs}
    assert verdicts["s0/7.mrc"] == "empty"
    chosen = SelectionSettings(exclude_micrographs="empty")
    table = PickTable(build(tmp_path, "t", picked, 3, selection=chosen))
    assert {micrograph.micrograph_id: micrograph.verdict for micrograph in table.micrographs} == verdicts
    for one in table:
        is_out = one.micrograph.verdict == "empty"
        assert one.micrograph.picks == one.picked.sum() == (0 if is_out else 40)
        assert one.micrograph.candidates == len(one)


def test_a_person_s_decisions_win_over_every_pass(tmp_path):
    nothing = Candidates(*np.empty((3, 0), np.float32))
    places = np.float32([[10, 50, 90], [10, 10, 10], [0.9, 0.5, -1]])
    picked = [
        Picked("s0/a.mrc", "crc", Candidates(*places)),
        Picked("s0/b.mrc", "crc", Candidates(*places)),
        Picked("s0/empty.mrc", "crc", nothing),
    ]
    file = tmp_path / "curation.csv"
    file.write_text(
        "micrograph_id,action,x_px,y_px\n"
        "s0/a.mrc,remove,10.4,10\n"
        "s0/a.mrc,add,90,10.2\n"
        "s0/a.mrc,add,300,400\n"
        "s0/b.mrc,exclude,,\n"
        "s0/empty.mrc,add,5,6\n"
    )
    table = PickTable(build(tmp_path, "t", picked, 1, selection=SelectionSettings(curation=file)))
    found = {one.micrograph.micrograph_id: one for one in table}
    a = found["s0/a.mrc"]
    assert sorted(zip(a.x_px[a.picked], a.y_px[a.picked], strict=True)) == [(50, 10), (90, 10.2), (300, 400)]
    assert a.more["source"][a.x_px == 300].tolist() == ["hand"]
    assert len(a) == 4
    assert not found["s0/b.mrc"].picked.any()
    assert found["s0/empty.mrc"].picked.tolist() == [True]
    assert found["s0/empty.mrc"].micrograph.picks == 1
    assert all(one.micrograph.candidates == len(one) for one in table)
    assert unheeded([file], table) == []


def curated(tmp_path, lines):
    file = tmp_path / "curation.csv"
    file.write_text("micrograph_id,action,x_px,y_px\n" + lines)
    picked = [Picked("s0/a.mrc", "crc", Candidates(*np.float32([[10, 50], [10, 10], [0.9, 0.5]])))]
    return file, build(tmp_path, "t", picked, 1, selection=SelectionSettings(curation=file))


def test_decisions_that_changed_nothing_are_told(tmp_path):
    lines = "s0/none.mrc,exclude,,\ns0/a,remove,10,10\ns0/a.mrc,remove,10,10\ns0/a.mrc,remove,30,10\n"
    file, table = curated(tmp_path, lines)
    names, places = unheeded([file], PickTable(table))
    assert "2 micrographs that were not picked: s0/a, s0/none.mrc" in names
    assert "removes 1 picks where none is within 1 px: s0/a.mrc" in places


@pytest.mark.parametrize("place", ["-1,5", "5,1e6"])
def test_a_pick_is_not_added_outside_its_micrograph(tmp_path, place):
    with pytest.raises(UsageError, match=r"adds a pick at .* to s0/a.mrc, which has \d+ x \d+ pixels"):
        curated(tmp_path, f"s0/a.mrc,add,{place}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected micrograph_id,action,x_px,y_px"),
        ("micrograph_id,action,x_px,y_px\na,kill,1,2\n", "line 2: action is 'kill', expected one of exclude"),
        ("micrograph_id,action,x_px,y_px\na,add,1\n", "line 2: x_px, y_px are '1, '"),
        ("micrograph_id,action,x_px,y_px\na,remove,nan,2\n", "expected two numbers"),
        ("micrograph_id,action,x_px,y_px\na,remove,1e300,2\n", "expected two numbers"),
        ("micrograph_id,action,x_px,y_px\n\xff\xfe,exclude", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_decisions_is_refused_with_its_line(tmp_path, text, said):
    path = tmp_path / "c.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=said):
        read_rows([path])


def test_sizes_that_leave_no_room_are_refused():
    with pytest.raises(ValueError, match="nothing is left"):
        SelectionSettings(smallest_A=120, largest_A=100)


def test_how_a_table_was_made_is_kept(tmp_path):
    made = PickTable(build(tmp_path, "t", some_picks(), 3)).made
    assert made.of == ("d",)
    assert made.passes == ()
    assert json.loads(json.dumps(made.thresholds))["s0"] == {"value": 0.0, "method": "given", "doubt": ""}


def test_what_a_person_added_stays_whatever_is_said_of_its_field(tmp_path):
    places = np.float32([[10], [10], [0.9]])
    picked = [Picked(f"s0/{n}.mrc", "crc", Candidates(*np.tile(places, 40))) for n in range(7)]
    picked.append(Picked("s0/empty.mrc", "crc", Candidates(*places)))
    file = tmp_path / "curation.csv"
    file.write_text("micrograph_id,action,x_px,y_px\ns0/empty.mrc,add,500,400\n")
    chosen = SelectionSettings(curation=file, exclude_micrographs="empty")
    table = PickTable(build(tmp_path, "t", picked, 3, selection=chosen))
    own = table.of(["s0/empty.mrc"])["s0/empty.mrc"]
    assert own.x_px[own.picked].tolist() == [500]
    assert [one.x_px[one.picked].tolist() for one in recut([own], 5.0)] == [[500]]
