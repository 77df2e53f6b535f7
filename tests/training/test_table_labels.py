from dataclasses import replace

import numpy as np
import pytest
from labelled_sources import manifest_row

from cryopick_ray.errors import UsageError
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.training.data.labels import labelled_rows, read_labels
from cryopick_ray.training.data.table_labels import read_table_labels
from cryopick_ray.training.training_settings import DataSettings, LabelChoice

ABOUT = PickedMicrograph("s/a.mrc", "s", "a.mrc", (100, 100), 2.0, None, "complete", "")
REASONS = [
    0,
    0,
    0,
    Why.BELOW_THRESHOLD,
    Why.ON_JUNK,
    Why.REMOVED_BY_HAND | Why.BELOW_THRESHOLD,
    Why.TOO_FEW_VOTES,
    Why.BAD_CLASS,
    Why.ON_JUNK | Why.REMOVED_BY_HAND,
]


def table(tmp_path, **more):
    n = len(REASONS)
    x = np.arange(n, dtype=np.float32)
    picks = MicrographPicks(ABOUT, x, x, -x, np.array(REASONS, np.uint16), 60.0, more=more, model="m")
    failed = replace(ABOUT, micrograph_id="s/b.mrc", status="failed", shape=None)
    nothing = replace(picks.take(slice(0)), micrograph=failed, more={})
    write_table([picks, nothing], tmp_path / "t")
    return tmp_path / "t"


def places(truth):
    assert list(truth.particles) == ["s/a"]
    return truth.particles["s/a"][:, 0].tolist()


def test_picks_are_particles_what_a_person_or_a_class_removed_is_none_and_the_rest_is_told_apart(tmp_path):
    labels = read_table_labels(table(tmp_path), None)
    assert places(labels.particles) == [0, 1, 2]
    assert places(labels.false) == [5, 7, 8]
    assert places(labels.unsure) == [4, 6]  # what scores too low is empty


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (LabelChoice(least_votes=2), [0, 2]),
        (LabelChoice(source="hand"), [1, 2]),
        (LabelChoice(classes=(4, 7)), [0]),
        (LabelChoice(least_votes=2, source="hand"), [2]),
    ],
)
def test_of_picks_that_are_not_chosen_nothing_is_learned(tmp_path, choice, chosen):
    source = np.array(["log", "hand", "hand", "log", "log", "log", "log", "log", "log"], object)
    votes, classes = np.uint8([3, 1, 2, 3, 3, 3, 1, 3, 3]), np.int32([4, -1, 5, 4, 4, 4, 4, 4, 4])
    labels = read_table_labels(table(tmp_path, votes=votes, source=source, class_number=classes), choice)
    assert places(labels.particles) == chosen
    assert places(labels.unsure) == sorted({0, 1, 2, 4, 6} - set(chosen))


def test_a_table_that_cannot_tell_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no votes to choose labels by"):
        read_table_labels(table(tmp_path), LabelChoice(least_votes=2))


def test_a_micrograph_that_is_excluded_teaches_nothing_and_takes_no_other_s_labels(tmp_path):
    """One of its name in another folder is data."""
    n = len(REASONS)
    x = np.arange(n, dtype=np.float32)
    data = MicrographPicks(ABOUT, x, x, -x, np.array(REASONS, np.uint16), 60.0, model="m")
    by_hand = replace(data, micrograph=replace(ABOUT, micrograph_id="t/a.mrc"))
    by_hand = by_hand.marked(Why.EXCLUDED_MICROGRAPH, np.ones(n, bool))
    empty = replace(data.take(slice(0)), micrograph=replace(ABOUT, micrograph_id="u/a.mrc", excluded=True))
    write_table([data, by_hand, empty], tmp_path / "t")
    own = DataSettings(name="d", micrographs=("*.mrc",), labels=tmp_path / "t", diameter_A=60)
    ids = ["s/a.mrc", "t/a.mrc", "u/a.mrc"]
    labels = read_labels(own, ids)
    assert labels.names == {"s/a.mrc": "s/a"}
    rows = labelled_rows(own, labels, "store", {name: manifest_row(name) for name in ids})
    assert [row.row.micrograph_id for row in rows] == ["s/a.mrc"]
    assert rows[0].false[:, 0].tolist() == [5, 7, 8]
