"""People's decisions about a run's micrographs -> marks to learn from."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from test_own_labels import manifest_row, picks

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.passes.decision_files import text_of
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.teach_marks import read_marks
from cryopick_ray.settings.config import load_settings
from cryopick_ray.store.manifest import publish_part
from cryopick_ray.store.store import MicrographStore

SETTINGS = load_settings({"inputs": ["m"], "diameter_A": 60.0})
SCORES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.3, 0.2]
"""Candidate ``i`` lies at ``10 + i, 50 - i``; the last two are not picked."""
ENOUGH = [
    *[Decision("b.mrc", "add", 60.0 + 5 * at, 20.0) for at in range(4)],
    *[Decision("b.mrc", "remove", 10.0 + at, 50.0 - at) for at in (0, 2, 4, 6)],
]


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    some = [picks("a.mrc", SCORES), picks("b.mrc", SCORES), picks("c.mrc", [], "failed")]
    write_table(some, folder.table)
    rows = [manifest_row(one.micrograph.micrograph_id, one.micrograph.status) for one in some]
    publish_part(MicrographStore(folder.store, create=True).place, rows)
    return folder


def marks(run, *decisions):
    path = run.path / "me.csv"
    dated = [
        replace(one, by="me", at=f"2026-11-30T10:00:00.{at:03d}Z")
        for at, one in enumerate([*ENOUGH, *decisions])
    ]
    path.write_text(text_of(dated))
    return read_marks(run, SETTINGS, [path])


def places(marks, name, kind):
    found = [getattr(row, kind) for row in marks.rows if row.row.micrograph_id == name]
    return [tuple(one) for one in np.concatenate([np.zeros((0, 2)), *found]).round(1).tolist()]


def test_added_and_kept_is_a_particle_removed_is_wrong_and_the_rest_is_neither(run):
    found = marks(run, Decision("a.mrc", "keep", 11.0, 49.0), Decision("a.mrc", "remove", 13.2, 47.0))
    assert places(found, "a.mrc", "particles") == [(11.0, 49.0)]
    assert places(found, "a.mrc", "false") == [(13.0, 47.0)]
    assert places(found, "b.mrc", "particles") == [(60.0, 20.0), (65.0, 20.0), (70.0, 20.0), (75.0, 20.0)]
    assert places(found, "b.mrc", "false") == [(10.0, 50.0), (12.0, 48.0), (14.0, 46.0), (16.0, 44.0)]
    assert (found.particles, found.wrong, found.notes) == (5, 5, ())


def test_the_last_word_about_a_place_counts(run):
    found = marks(
        run,
        Decision("a.mrc", "remove", 11.0, 49.0),
        Decision("a.mrc", "keep", 11.0, 49.0),
        Decision("a.mrc", "keep", 12.0, 48.0),
        Decision("a.mrc", "remove", 12.0, 48.0),
        Decision("a.mrc", "add", 80.0, 80.0),
        Decision("a.mrc", "remove", 80.0, 80.0),  # takes the added one back: nothing is there
    )
    assert places(found, "a.mrc", "particles") == [(11.0, 49.0)]
    assert places(found, "a.mrc", "false") == [(12.0, 48.0)]


def test_picks_on_painted_junk_are_wrong_but_not_what_was_no_pick(run):
    found = marks(run, Decision("a.mrc", "junk", 15.5, 44.5, 2.2))
    assert places(found, "a.mrc", "false") == [(14.0, 46.0), (15.0, 45.0)]
    assert Counter(places(found, "a.mrc", "particles")) == Counter()


def test_excluded_failed_and_unknown_micrographs_teach_nothing_and_that_is_told(run):
    found = marks(
        run,
        Decision("a.mrc", "remove", 11.0, 49.0),
        Decision("a.mrc", "exclude"),
        Decision("c.mrc", "remove", 11.0, 49.0),
        Decision("z.mrc", "remove", 11.0, 49.0),
    )
    assert [row.row.micrograph_id for row in found.rows] == ["b.mrc"]
    assert [note.split(":")[0] for note in found.notes] == [
        "the run has no micrograph z.mrc",
        "a.mrc is excluded",
        "c.mrc is not picked",
    ]


def test_a_table_that_was_curated_before_teaches_what_decisions_say_now(run):
    kept = picks("a.mrc", SCORES)
    from cryopick_ray.picks.reasons import Why

    before = kept.marked(Why.REMOVED_BY_HAND, np.arange(len(kept)) < 3)
    write_table([before, picks("b.mrc", SCORES)], run.table)
    found = marks(run, Decision("a.mrc", "keep", 10.0, 50.0))
    assert places(found, "a.mrc", "particles") == [(10.0, 50.0)]
    assert places(found, "a.mrc", "false") == []


@pytest.mark.parametrize(
    ("undone", "words"),
    [
        ([Decision("b.mrc", "keep", 10.0, 50.0)], "3 wrong places, too few .* remove wrong picks"),
        ([Decision("b.mrc", "remove", 60.0, 20.0)], "3 particles, too few .* add missed ones"),
        ([Decision("b.mrc", "add", 500.0, 20.0)], "adds a pick at 500, 20 to b.mrc, which has 110 x 90"),
        ([Decision("b.mrc", "exclude")], "0 particles, .*b.mrc is excluded"),
    ],
)
def test_too_few_marks_and_marks_outside_are_refused(run, undone, words):
    with pytest.raises(UsageError, match=words):
        marks(run, *undone)


def test_each_mark_is_held_back_once_and_teaches_otherwise(run):
    found = marks(run, *[Decision("a.mrc", "keep", 10.0 + at, 50.0 - at) for at in range(3)])
    for kind, total in (("particles", 7), ("false", 4)):
        every = Counter(places(found, "a.mrc", kind) + places(found, "b.mrc", kind))
        held: Counter = Counter()
        for some, rest in found.halves(seed=3):
            parts = [Counter(places(one, "a.mrc", kind) + places(one, "b.mrc", kind)) for one in (some, rest)]
            assert parts[0] + parts[1] == every
            assert min(part.total() for part in parts) >= total // 2
            held += parts[1]
        assert held == every
    assert [halve[0].rows[0].particles.tolist() for halve in found.halves(3)] == [
        halve[0].rows[0].particles.tolist() for halve in found.halves(3)
    ]


def test_micrographs_are_shown_as_often_as_they_have_marks(run):
    found = marks(run, Decision("a.mrc", "keep", 11.0, 49.0), Decision("a.mrc", "remove", 13.0, 47.0))
    shown = Counter(row.row.micrograph_id for row in found.shown())
    assert shown["a.mrc"] >= 1
    assert shown["b.mrc"] > shown["a.mrc"]


def test_picks_on_what_the_model_calls_junk_can_be_added(run):
    """A person is right about it: nothing of the table's own junk keeps a mark out."""
    on_ice = replace(picks("a.mrc", SCORES), junk=np.full(len(SCORES), Junk.ICE, np.uint8))
    write_table([on_ice, picks("b.mrc", SCORES)], run.table)
    found = marks(run, Decision("a.mrc", "add", 30.0, 30.0))
    assert places(found, "a.mrc", "particles") == [(30.0, 30.0)]
