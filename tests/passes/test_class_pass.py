"""The pass that leaves out bad classes: what it marks, what it leaves, what it refuses."""

import numpy as np
import pandas as pd
import pytest
from made_tables import build

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.bad_classes import read_classes, unmet
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.table import PickTable
from cryopick_ray.settings.selection_settings import SelectionSettings

HEAD = "micrograph,x_px,y_px,class_number,quality\n"
SHIFT_PX = 0.001
"""As rounding in a STAR file leaves them."""


def some_picks():
    """Return picks of a few micrographs, no two at one place."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(4):
        y, x = 2 * np.array(np.divmod(rng.permutation(225)[:20], 15), np.float32)
        score = rng.integers(-3, 4, 20).astype(np.float32)
        made.append(Picked(f"s{number % 2}/{number}.mrc", "crc", Candidates(x, y, score)))
    return made


@pytest.fixture
def plain(tmp_path):
    return build(tmp_path, "plain", some_picks(), 1)


def classified(path, frame, *, name="micrograph_id"):
    """Write a table's rows as classified, in turn good, doubtful and junk; return these."""
    qualities = np.array(["good", "doubtful", "junk"])[np.arange(len(frame)) % 3]
    rows = zip(
        frame[name], frame.x_px + SHIFT_PX, frame.y_px, np.arange(len(frame)) % 7, qualities, strict=True
    )
    path.write_text(HEAD + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return qualities


@pytest.mark.parametrize(("keep", "kept"), [("good", ["good"]), ("doubtful", ["good", "doubtful"])])
def test_only_picks_of_the_classes_that_are_kept_stay(tmp_path, plain, keep, kept):
    before = pd.read_parquet(plain)
    file = tmp_path / "classes.csv"
    qualities = classified(file, before)
    chosen = SelectionSettings(classes=file, keep_classes=keep)
    table = build(tmp_path, "t", some_picks(), 1, selection=chosen)
    after = pd.read_parquet(table)
    assert (after.picked == (before.picked & np.isin(qualities, kept))).all()
    assert (after.class_number == np.arange(len(before)) % 7).all()
    assert (after.unpicked.str.contains("bad class") == ~np.isin(qualities, kept)).all()
    assert unmet([file], PickTable(table)) == []


def test_it_is_told_if_classes_leave_no_pick(tmp_path, plain):
    file = tmp_path / "classes.csv"
    classified(file, pd.read_parquet(plain))
    file.write_text(file.read_text().replace(",good", ",doubtful"))
    for keep, is_told in (("good", True), ("doubtful", False)):
        chosen = SelectionSettings(classes=file, keep_classes=keep)
        table = PickTable(build(tmp_path, keep, some_picks(), 1, selection=chosen))
        assert any("left no pick" in line for line in unmet([file], table)) == is_told


def test_empty_lines_say_nothing(tmp_path):
    file = tmp_path / "classes.csv"
    file.write_text(HEAD + "\na.mrc,1,2,3,good\n\n")
    assert read_classes(file)["a.mrc"].places.tolist() == [[1, 2]]


def test_what_was_not_classified_stays_as_it_is(tmp_path, plain):
    before = pd.read_parquet(plain)
    file = tmp_path / "classes.csv"
    classified(file, before.iloc[::2])
    after = pd.read_parquet(build(tmp_path, "t", some_picks(), 1, selection=SelectionSettings(classes=file)))
    assert (after.picked[1::2] == before.picked[1::2]).all()
    assert after.class_number[1::2].isna().all()
    assert after.class_number[::2].notna().all()


def test_particles_that_meet_nothing_are_told(tmp_path, plain):
    file = tmp_path / "classes.csv"
    one = pd.read_parquet(plain).iloc[0]
    file.write_text(
        HEAD + f"elsewhere.mrc,1,1,1,good\n{one.micrograph_id},{one.x_px + 1.5},{one.y_px},1,junk\n"
    )
    table = build(tmp_path, "t", some_picks(), 1, selection=SelectionSettings(classes=file))
    strange, nowhere, left = unmet([file], PickTable(table))
    assert strange.endswith(" has 1 particles of micrographs that the table does not have")
    assert nowhere.endswith(" has 1 particles where no candidate is")
    assert left.startswith(f"{pd.read_parquet(table).picked.sum()} picks are in no class and stay picks")


def test_a_second_classification_of_what_the_first_left_takes_nothing_back(tmp_path, plain):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    classified(first, pd.read_parquet(plain))
    once = build(tmp_path, "once", some_picks(), 1, selection=SelectionSettings(classes=first))
    left = pd.read_parquet(once).picked
    classified(second, pd.read_parquet(once)[left])
    chosen = SelectionSettings(classes=[first, second])
    twice = build(tmp_path, "twice", some_picks(), 1, selection=chosen)
    rows = pd.read_parquet(twice)
    assert not (rows.picked & ~left).any()
    assert 0 < rows.picked.sum() < left.sum()
    assert unmet([first, second], PickTable(twice)) == []
    assert PickTable(twice).made.passes[0] == {"classes": [str(first), str(second)]}
    alone = build(tmp_path, "alone", some_picks(), 1, selection=SelectionSettings(classes=second))
    assert any("give its file, too" in text for text in unmet([second], PickTable(alone)))


def test_what_is_classified_anew_counts_as_it_was_judged_last(tmp_path, plain):
    before = pd.read_parquet(plain)
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    classified(first, before)
    second.write_text(first.read_text().replace(",junk", ",good"))
    tables = [
        build(tmp_path, name, some_picks(), 1, selection=SelectionSettings(classes=files))
        for name, files in (("good", [first, second]), ("junk", [second, first]))
    ]
    good, junk = (pd.read_parquet(table).picked for table in tables)
    assert (good == before.picked).all()
    assert junk.sum() < good.sum()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n", "as its first line"),
        (HEAD + "a.mrc,1,2,3\n", "line 2"),
        (HEAD + "a.mrc,1,2,3,good\na.mrc,nan,2,3,good\n", "line 3"),
        (HEAD + "a.mrc,1,2,3,fine\n", "good, doubtful, junk"),
        (HEAD + "a.mrc,1,2,-3,good\n", "line 2"),
        (HEAD + "a.mrc,1,1e30,3,good\n", "line 2"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, text, told):
    file = tmp_path / "classes.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_classes(file)
