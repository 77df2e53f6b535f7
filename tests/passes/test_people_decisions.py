import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_decisions import candidates, decisions, outcome, replayed
from made_tables import build
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.passes import decision_files
from cryopick_ray.passes.curation import Curated
from cryopick_ray.passes.decision_files import EARLIER_HEAD, HEAD, read_rows, text_of
from cryopick_ray.passes.decisions import Decision, decisions_of
from cryopick_ray.passes.unheeded import unheeded
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.table import PickTable
from cryopick_ray.settings.selection_settings import SelectionSettings

SOON, LATER = "2026-11-30T10:00:00.000Z", "2026-11-30T10:00:01.000Z"
many = st.lists(decisions(), max_size=14)


def curated(rows, picks=None):
    return Curated(decisions_of(rows))(candidates() if picks is None else picks)


def said(*rows, at=SOON):
    """Return ``action x y radius`` texts as decisions, each a second later."""
    made = []
    for number, text in enumerate(rows):
        action, *numbers = text.split()
        place = [*map(float, numbers), 0, 0, 0][:3]
        made.append(Decision("a.mrc", action, *place, by="anna", at=f"{at[:17]}{number:02d}.000Z"))
    return made


def a_file(path, rows):
    path.write_text(text_of(rows))
    return path


@settings(max_examples=400, deadline=None)
@given(many)
def test_a_replay_is_what_a_plain_one_makes_of_it(rows):
    in_turn = sorted(rows, key=lambda row: row.call)
    assert outcome(curated(rows)) == replayed(in_turn, candidates())


@settings(max_examples=60, deadline=None)
@given(st.lists(decisions(("a.mrc", 'b, "c".mrc')), max_size=14), st.randoms())
def test_files_of_several_people_are_a_union_in_any_order_and_however_often(tmp_path_factory, rows, random):
    tmp_path = tmp_path_factory.mktemp("union")
    own = {by: [row for row in rows if row.by == by] for by in ("anna", "bo")}
    files = [a_file(tmp_path / f"{by}.csv", some) for by, some in own.items()]
    (copy := tmp_path / "copies").mkdir()
    a_file(copy / "anna.csv", own["anna"])
    both = tmp_path / "both.csv"
    both.write_bytes(b"".join(path.read_bytes() for path in [*files, files[1]]))
    wanted = read_rows(files)
    assert {*wanted} == {*rows}
    for others in ([*files, copy], [both], [both, *files], [copy, both]):
        random.shuffle(others)
        assert read_rows(others) == wanted
    assert read_rows([a_file(tmp_path / "again.csv", wanted)]) == wanted
    assert outcome(curated(wanted)) == outcome(curated(rows))


def as_before(picks, rows):
    """Return places of picks as the version before knew decisions: removed, then added."""
    places = np.column_stack([picks.x_px, picks.y_px])
    remove, add = (
        np.float32([row.disc[:2] for row in rows if row.action == name]).reshape(-1, 2)
        for name in ("remove", "add")
    )
    gone = np.zeros(len(places), bool)
    if len(remove):
        away, nearest = cKDTree(places).query(remove, distance_upper_bound=1)
        gone[nearest[np.isfinite(away)]] = True
    if len(add):
        gone |= cKDTree(add).query(places)[0] <= 1
    excluded = any(row.action == "exclude" for row in rows)
    found = [*map(tuple, places[~gone & picks.picked].tolist()), *map(tuple, add.tolist())]
    return [] if excluded else sorted(found)


@settings(max_examples=200, deadline=None)
@given(many, st.randoms())
def test_files_of_earlier_versions_mean_what_they_meant(tmp_path_factory, rows, random):
    tmp_path = tmp_path_factory.mktemp("before")
    known = [replace(row, by="", at="") for row in rows if row.action in ("exclude", "remove", "add")]
    known = list(dict.fromkeys(known))
    lines = [",".join(map(str, decision_files.fields(row)[:4])) for row in known]
    path = tmp_path / "old.csv"
    path.write_text("\n".join([",".join(EARLIER_HEAD), *lines, ""]))
    found = curated(read_rows([path]))
    assert sorted(zip(found.x_px[found.picked].tolist(), found.y_px[found.picked].tolist(), strict=True)) == (
        as_before(candidates(), known)
    )
    random.shuffle(lines)
    path.write_text("\n".join([",".join(EARLIER_HEAD), *lines, ""]))
    assert outcome(curated(read_rows([path, path]))) == outcome(found)


def test_what_is_decided_later_takes_back_what_an_undated_file_says(tmp_path):
    old = tmp_path / "old.csv"
    old.write_text("micrograph_id,action,x_px,y_px\na.mrc,add,50,50\na.mrc,remove,2,2\na.mrc,exclude,,\n")
    new = a_file(tmp_path / "new.csv", said("remove 50.4 50", "keep 2 2", "include"))
    for paths in ([old, new], [new, old]):
        assert outcome(curated(read_rows(paths))) == outcome(candidates())


def test_a_move_is_a_removal_and_an_addition_and_both_stay():
    found = curated(said("remove 2 2", "add 2.6 2.5", "remove 6 2", "add 40 40"))
    assert {place for place, (code, _) in outcome(found).items() if not code} == {
        tuple(np.float32(place).tolist()) for place in [(2.6, 2.5), (40, 40), (2, 6)]
    }


def test_junk_that_a_person_paints_is_no_pick_and_says_so_until_it_is_cleaned():
    paint = said("junk 2 2 1.5")
    found = curated(paint)
    where = np.hypot(found.x_px - 2, found.y_px - 2) <= 1.5
    assert where.sum() == 2
    assert (found.unpicked[where] == Why.ON_JUNK | Why.REMOVED_BY_HAND).all()
    assert (found.junk == np.where(where, Junk.MASKED, Junk.NONE)).all()
    assert found.kept_out() == {"masked": 2}
    kept = curated(said("junk 2 2 1.5", "keep 2 2"))
    assert (kept.x_px[~kept.picked & (kept.y_px == 2)] == np.float32(2.9)).all()
    assert outcome(curated(said("junk 2 2 1.5", "clean 2 2 1.5"))) == outcome(candidates())
    assert outcome(curated(said("junk 2 2 1.5", "clean 2 2 1.4"))) == outcome(found)
    assert outcome(curated(said("add 3 3", "junk 2 2 1.5"))) == outcome(found)
    assert (3, 3) in outcome(curated(said("junk 2 2 1.5", "add 3 3")))


def made_table(tmp_path, *paths):
    x, y = np.float32([[10, 50, 90, 90], [10, 10, 10, 40]])
    picked = [
        Picked("s0/a.mrc", "crc", Candidates(x, y, np.float32([0.9, 0.5, 0.4, 0.3]))),
        Picked("s0/b.mrc", "crc", Candidates(x, y, np.float32([0.9, 0.5, 0.4, 0.3]))),
        Picked("s0/nothing.mrc", "crc", Candidates(*np.empty((3, 0), np.float32))),
    ]
    return PickTable(build(tmp_path, "t", picked, 1, selection=SelectionSettings(curation=paths)))


def test_a_folder_of_people_s_files_makes_a_table(tmp_path):
    folder = tmp_path / "curation"
    folder.mkdir()
    own = [replace(row, micrograph_id="s0/a.mrc") for row in said("junk 50 10 5", "add 300 200")]
    a_file(folder / "anna.csv", own)
    out = [Decision(f"s0/{name}.mrc", "exclude", by="bo", at=SOON) for name in ("b", "nothing")]
    a_file(folder / "bo.csv", out)
    (folder / "anna.classes.csv").write_text("something else")
    (folder / ".bo.lock").touch()
    table = made_table(tmp_path, folder)
    frame = pd.read_parquet(tmp_path / "t.table")
    a = frame[frame.micrograph_id == "s0/a.mrc"]
    assert sorted(a[a.picked].x_px) == [10, 90, 90, 300]
    assert a[a.x_px == 50].unpicked.tolist() == ["on junk, removed by hand"]
    assert a[a.x_px == 50].junk.tolist() == ["masked"]
    assert not frame[frame.micrograph_id == "s0/b.mrc"].picked.any()
    assert [micrograph.excluded for micrograph in table.micrographs] == [False, True, True]
    assert unheeded([folder], table) == []
    assert table.made.passes == ({"curation": [str(folder)]},)


def test_decisions_of_every_kind_that_meet_nothing_are_told(tmp_path):
    texts = ["remove 30 10", "keep 31 10", "include", "clean 1 1 5", "junk -50 10 49", "junk 5000 5000 9"]
    met = ["remove 10 10.5", "keep 10 10", "junk -50 10 50", "clean -50 10 50", "remove 90 10", "add 90.7 10"]
    rows = [replace(row, micrograph_id="s0/a.mrc") for row in said(*texts, *met)]
    rows.append(Decision("s0/none\x1b[31m.mrc", "exclude", at=SOON))
    file = a_file(tmp_path / "c.csv", rows)
    table = made_table(tmp_path, file)
    told = [text.removeprefix(f"`curation` {file} ") for text in unheeded([file], table)]
    assert told == [
        "names 1 micrographs that were not picked: s0/none [31m.mrc; expected micrograph_id as the table "
        "has it",
        "removes 1 picks where none is within 1 px: s0/a.mrc",
        "keeps 1 picks where none is within 1 px: s0/a.mrc",
        "includes 1 micrographs that nobody excludes: s0/a.mrc",
        "cleans 1 discs that nobody painted before: s0/a.mrc",
        "paints 2 discs outside their micrograph: s0/a.mrc",
    ]


SEVEN = ",".join(HEAD) + "\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a,junk,1,2\n", "line 2: radius_px is '', expected a number above 0"),
        ("a,junk,1,2,0\n", "radius_px is '0'"),
        ("a,junk,1,2,-3\n", "radius_px is '-3'"),
        ("a,clean,1,2,1e9\n", "radius_px is '1e9', expected a number above 0, at most 32768"),
        ("a,junk,1,2,nan\n", "radius_px is 'nan'"),
        ("a,keep,inf,2\n", "expected two numbers"),
        ("a,keep,1,2,,anna,yesterday\n", "at is 'yesterday', expected UTC as 2026-11-30T10:00:00.123Z"),
        ("a,keep,1,2,,anna,2026-13-30T10:00:00.123Z\n", "at is '2026-13"),
        ("a,keep,1,2,,anna,9999-12-30T10:00:00.123Z\n", "at is '9999"),
        ("a,keep,1,2,,anna,٢٠٢٦-11-30T10:00:00.123Z\n", "at is "),
        (f"a,keep,1,2,,{'x' * 65},{SOON}\n", "by is 'x"),
        (f'a,keep,1,2,,"a,b",{SOON}\n', "by is 'a,b', expected at most 64 characters, no comma"),
        (f'a,keep,1,2,,"a\nb",{SOON}\n', "by is "),
        (f"a,keep,1,2,,anna,{SOON},more\n", "line 2: 8 values, expected 7 as in the head"),
        (f"micrograph_id,action,x_px,y_px\na,keep,1,2,,anna,{SOON}\n", "line 3: 7 values, expected 4"),
        ("a,keep,1,2\nmicrograph,action\n", "line 3: action is 'action'"),
    ],
)
def test_a_line_that_holds_no_decision_is_refused_with_what_was_expected(tmp_path, text, wrong):
    path = tmp_path / "c.csv"
    path.write_text(SEVEN + text)
    with pytest.raises(UsageError, match="`curation` ") as error:
        read_rows([path])
    assert wrong in str(error.value)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.floats(-1e7, 1e7), st.floats(0.001, 3e4))
@example("\r", 0.1, 0.2)
@example('"', -0.0, 1.0)
@example("\ufeffmicrograph_id", 1e-300, 1.0)
def test_any_micrograph_and_number_comes_back_as_it_was_written(tmp_path_factory, name, x_px, radius_px):
    rows = [Decision(name, "junk", x_px, 2.5, radius_px, "anna", SOON), Decision(name, "add", x_px, x_px)]
    path = a_file(tmp_path_factory.mktemp("text") / "c.csv", rows)
    assert read_rows([path]) == sorted(rows, key=lambda row: row.call)


def test_what_is_no_file_or_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", tmp_path):
        with pytest.raises(UsageError, match=r"pipe\.csv is no plain file"):
            read_rows([path])
    with pytest.raises(UsageError, match="cannot be read"):
        read_rows([tmp_path / "missing.csv"])
    monkeypatch.setattr(decision_files, "MOST_BYTES", 200)
    files = [a_file(tmp_path / f"{n}.csv", [Decision("a.mrc", "add", n)]) for n in range(5)]
    with pytest.raises(UsageError, match="expected 200 at most"):
        read_rows(files)
    with pytest.raises(UsageError, match="expected at most 200"):
        read_rows([a_file(tmp_path / "9.csv", [Decision("a.mrc", "add", n) for n in range(30)])])


def test_settings_of_earlier_runs_hold_one_file():
    one = SelectionSettings.model_validate({"curation": "/c.csv"})
    assert one == SelectionSettings.model_validate({"curation": ["/c.csv"]})
    assert SelectionSettings.model_validate({"curation": None}) == SelectionSettings()
