"""Filaments that people draw: rows of corners become segments, about each of which may be decided later."""

from itertools import pairwise
from math import atan2, degrees, dist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_decisions import ABOUT, candidates
from made_tables import build

from cryopick_ray.errors import UsageError
from cryopick_ray.filaments.segments import cut_segments
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.passes import hand_drawn
from cryopick_ray.passes.curation import Curated, check_places
from cryopick_ray.passes.decision_files import read_rows, text_of
from cryopick_ray.passes.decisions import Decision, decisions_of
from cryopick_ray.passes.unheeded import unheeded
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.reasons import Why, none
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.table import PickTable
from cryopick_ray.settings.filament_settings import picked_spacing_A
from cryopick_ray.settings.selection_settings import SelectionSettings

PIXEL_A = ABOUT.pixel_size_A
SPACING_PX, WIDTH_PX = 5.0, 8.0
LINE = [(5.0, 90.0), (45.0, 60.0), (90.0, 60.0)]


def at(second):
    return f"2026-11-30T10:00:{second:02d}.000Z"


def rows(action, places, second, by="anna", name="a.mrc"):
    return [Decision(name, action, x, y, by=by, at=at(second)) for x, y in places]


def segments(*lines, score=0.5):
    """Return a micrograph's picks: segments of lines, in the order of tables."""
    found = cut_segments([Trace(np.array(line)) for line in lines], SPACING_PX, WIDTH_PX)
    more = {
        "filament": found.filament,
        "track_A": (found.track_px * PIXEL_A).astype(np.float32),
        "angle_deg": found.psi_deg.astype(np.float32),
    }
    x, y = found.x_px.astype(np.float32), found.y_px.astype(np.float32)
    given = np.full(len(x), score, np.float32)
    return MicrographPicks(ABOUT, x, y, given, none(len(x)), WIDTH_PX * PIXEL_A, more=more).best_first()


def curated(decisions, picks, spacing_A=None):
    return Curated(decisions_of(decisions), spacing_A)(picks)


def walked(corners, spacing_px):
    """Return places so far apart along corners, as many as fit, in their middle."""
    length = sum(dist(*leg) for leg in pairwise(corners))
    count = int(length / spacing_px + 1e-9) + 1
    found = []
    for number in range(count):
        left = (length - (count - 1) * spacing_px) / 2 + number * spacing_px
        for a, b in pairwise(corners):
            if left <= dist(a, b) + 1e-9:
                part = left / dist(a, b)
                found.append((a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])))
                break
            left -= dist(a, b)
    return found


def own(picks, number):
    """Return the segments of a filament along it."""
    chosen = picks.take(picks.more["filament"] == number)
    return chosen.take(np.argsort(chosen.more["track_A"], kind="stable"))


def places(picks):
    return np.column_stack([picks.x_px, picks.y_px])


corners = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=6, unique=True
).map(lambda some: [(float(x), float(y)) for x, y in some])


@settings(max_examples=100, deadline=None)
@given(corners, st.floats(2, 30))
def test_a_drawn_filament_is_cut_as_a_walk_along_its_corners_does(tmp_path_factory, line, spacing_px):
    path = tmp_path_factory.mktemp("drawn") / "anna.csv"
    path.write_text(text_of(rows("trace", line, 1)))
    found = own(curated(read_rows([path]), candidates(), spacing_px * PIXEL_A), 0)
    wanted = walked(line, spacing_px)
    assert places(found) == pytest.approx(np.array(wanted), abs=0.01)
    assert found.more["track_A"] == pytest.approx(np.arange(len(wanted)) * spacing_px * PIXEL_A, rel=1e-5)
    assert set(found.more["source"]) == {"hand"}
    assert (found.score == candidates().score.max()).all()
    assert found.picked.all()


def test_its_segments_point_along_it_and_it_is_one_more_of_the_micrograph():
    picks = segments([(10, 10), (90, 10)], [(10, 30), (90, 30)])
    found = curated(rows("trace", LINE, 1), picks)
    assert np.array_equal(own(found, 1).more["angle_deg"], own(picks, 1).more["angle_deg"])
    psi = own(found, 2).more["angle_deg"]
    assert psi[[0, -1]] == pytest.approx([-degrees(atan2(-30, 40)), 0], abs=1e-3)
    away = np.linalg.norm(places(found)[:, None] - np.array(walked(LINE, SPACING_PX)), axis=2)
    assert (away.min(axis=0) < 1e-3).all()  # as far apart as the others are
    assert (np.diff(found.score) <= 0).all()


def test_without_other_filaments_segments_are_half_a_width_apart():
    picks = candidates()
    assert np.allclose(
        places(own(curated(rows("trace", LINE, 1), picks), 0)),
        walked(LINE, picks.diameter_A / PIXEL_A / 2),
        atol=1e-3,
    )
    described = {"spacing_px": 4.0, "particle_px": 10.0, "diameter_A": 250.0}
    assert picked_spacing_A(described) == 100
    assert picked_spacing_A(described | {"spacing_px": "4"}) is None
    assert picked_spacing_A({"particle_px": 10.0, "diameter_A": 250.0}) is None


def test_what_is_said_of_a_place_before_a_filament_was_drawn_there_is_not_about_it():
    picks = segments([(10, 10), (90, 10)])
    before = walked(LINE, SPACING_PX)
    gone = rows("remove", before, 1)
    drawn_later = curated([*gone, *rows("trace", LINE, 2)], picks)
    assert own(drawn_later, 1).picked.all()
    removed = curated([*gone, *rows("trace", LINE, 2), *rows("remove", before, 3, "bo")], picks)
    assert (own(removed, 1).unpicked == Why.REMOVED_BY_HAND).all()
    kept = rows("keep", before[:4], 4)
    back = curated([*rows("trace", LINE, 2), *rows("remove", before, 3), *kept], picks)
    assert own(back, 1).picked.tolist() == [True] * 4 + [False] * (len(before) - 4)
    assert own(back, 0).picked.all()


def test_a_candidate_that_was_there_is_meant_by_what_was_said_before_another_was_drawn_upon_it():
    picks = segments([(45, 10), (45, 90)])
    crossing = rows("trace", [(5.0, 50.5), (85.0, 50.5)], 2)
    here, nearer = (45.0, 50.0), (45.0, 50.5)
    assert {here, nearer} <= {*map(tuple, places(curated(crossing, picks)).tolist())}

    def removed(second):
        found = curated([*rows("remove", [(45.0, 50.4)], second), *crossing], picks)
        return [*map(tuple, places(found)[~found.picked].tolist())]

    assert removed(1) == [here]
    assert removed(3) == [nearer]


def test_junk_takes_what_was_drawn_before_and_not_after():
    picks = segments([(10, 10), (90, 10)])
    junk = [Decision("a.mrc", "junk", 5.0, 90.0, 15.0, "anna", at(2))]
    inside = np.hypot(*(np.array(walked(LINE, SPACING_PX)) - [5, 90]).T) <= 15
    painted = own(curated([*rows("trace", LINE, 1), *junk], picks), 1)
    assert painted.picked.tolist() == (~inside).tolist()
    assert own(curated([*junk, *rows("trace", LINE, 3)], picks), 1).picked.all()


def test_it_takes_the_place_of_a_filament_that_lies_along_it_and_not_of_one_that_it_crosses():
    low, other = [(10.0, 20.0), (50.0, 22.0), (90.0, 20.0)], [(50.0, 5.0), (50.0, 95.0)]
    picks = segments(low, other)
    again = places(own(picks, 0)).astype(float).tolist()
    found = curated(rows("trace", again, 1), picks)
    assert len(found) == len(own(picks, 1)) + len(own(found, 2))
    assert np.array_equal(places(own(found, 1)), places(own(picks, 1)))
    assert len(own(picks, 0)) - 1 <= len(own(found, 2)) <= len(own(picks, 0))


def test_people_s_filaments_are_united_and_each_is_one():
    mine, theirs = rows("trace", LINE, 1), rows("trace", [(5, 5), (95, 5)], 1, "bo")
    picks = candidates()
    found = curated([theirs[0], *mine, theirs[1]], picks, SPACING_PX * PIXEL_A)
    lengths = sorted(int((found.more["filament"] == number).sum()) for number in (0, 1))
    assert lengths == sorted(len(walked(one, SPACING_PX)) for one in (LINE, [(5, 5), (95, 5)]))
    assert (found.more["filament"] < 0).sum() == len(picks)
    twice = curated([*mine, *theirs, *rows("exclude", [(0, 0)], 9)], picks)
    assert twice.has(Why.EXCLUDED_MICROGRAPH).all()


def test_hostile_corners_are_bounded_refused_or_told(tmp_path, monkeypatch):
    outside = decisions_of(rows("trace", [(10, 10), (10, 120)], 1))
    with pytest.raises(UsageError, match=r"adds a filament at 10, 120 to a\.mrc, which has 100 x 100 pixels"):
        check_places(outside, [ABOUT])
    path = tmp_path / "c.csv"
    for bad in ("nan", "inf", "1e30", "x"):
        path.write_text(text_of([]) + f"a.mrc,trace,{bad},2\n")
        with pytest.raises(UsageError, match="expected two numbers"):
            read_rows([path])
    monkeypatch.setattr(hand_drawn, "MOST_SEGMENTS", 10)
    with pytest.raises(UsageError, match=r"segments in a\.mrc, expected 10 at most"):
        curated(rows("trace", LINE, 1), candidates(), SPACING_PX * PIXEL_A)


def test_a_single_corner_is_told_and_the_others_make_a_table(tmp_path):
    given = [
        *rows("trace", [(60, 90), (400, 700)], 1, name="s0/a.mrc"),
        *rows("trace", [(9, 9)], 2, name="s0/a.mrc"),
        *rows("trace", [(20, 20), (500, 20)], 3, name="s0/none.mrc"),
    ]
    (path := tmp_path / "c.csv").write_text(text_of(given))
    empty = Candidates(*np.empty((3, 0), np.float32))
    picked = [
        Picked("s0/a.mrc", "crc", Candidates(*np.float32([[10], [10], [0.9]]))),
        Picked("s0/none.mrc", "crc", empty),
    ]
    table = PickTable(build(tmp_path, "t", picked, 1, selection=SelectionSettings(curation=(path,))))
    found = table.of(["s0/a.mrc", "s0/none.mrc"])
    spacing_px = 150 / 2 / 1.5
    assert len(found["s0/a.mrc"]) == 1 + len(walked([(60, 90), (400, 700)], spacing_px))
    assert len(found["s0/none.mrc"]) == len(walked([(20, 20), (500, 20)], spacing_px))
    assert unheeded([path], table) == [f"`curation` {path} draws 1 filaments of a single place: s0/a.mrc"]
