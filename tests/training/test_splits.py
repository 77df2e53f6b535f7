from collections import Counter
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_sources import labelled_row, names

from cryopick_ray.errors import UsageError
from cryopick_ray.training.data.labelled import nowhere
from cryopick_ray.training.data.splits import (
    Split,
    check,
    check_patterns,
    folds,
    split,
    split_all,
    split_rows,
)
from cryopick_ray.training.training_settings import DataSettings

ROWS = [labelled_row(f"m{number:02}.mrc", count=number % 4) for number in range(12)]
SHARES = st.floats(0, 0.5)
SEEDS = st.integers(0, 2**32 - 1)


def settings(**changes):
    given = {"name": "apo", "micrographs": ("*.mrc",), "labels": "labels", "diameter_A": 40}
    return DataSettings.model_validate(given | changes)


def parts(found):
    return [names(part) for part in (found.training, found.validation, found.test)]


@given(count=st.integers(0, 12), share=SHARES, seed=SEEDS)
def test_learning_and_choosing_micrographs_are_apart_and_all(count, share, seed):
    training, validation = split_rows(ROWS[:count], share, seed)
    assert sorted(names(training) + names(validation)) == names(ROWS[:count])
    assert bool(training) == bool(count)
    if share and count > 1:
        assert len(validation) == max(1, round(share * count))
    elif count < 2 or not share:
        assert not validation
    assert split_rows(ROWS[:count], share, seed) == (training, validation)


def test_who_chooses_is_drawn_at_random():
    seen = {tuple(names(split_rows(ROWS, 0.25, seed)[1])) for seed in range(30)}
    assert len(seen) > 20
    assert {name for one in seen for name in one} == set(names(ROWS))


@given(
    test=st.sets(st.integers(0, 11), max_size=5),
    chosen=st.none() | st.sets(st.integers(0, 11), max_size=5),
    share=SHARES,
    seed=SEEDS,
    labels_used=st.none() | st.integers(1, 30),
)
def test_no_micrograph_is_in_two_parts(test, chosen, share, seed, labels_used):
    chosen = None if chosen is None else chosen - test
    given_settings = settings(
        test=tuple(f"m{number:02}*" for number in test),
        validation=None if chosen is None else tuple(f"m{number:02}*" for number in chosen),
        labels_used=labels_used,
    )
    found = split(ROWS, given_settings, share, seed)
    assert sorted(chain(*parts(found))) == names(ROWS)
    assert names(found.test) == [f"m{number:02}.mrc" for number in sorted(test)]
    if chosen is not None:
        assert names(found.validation) == [f"m{number:02}.mrc" for number in sorted(chosen)]


@given(labels_used=st.integers(1, 40), seed=SEEDS)
def test_so_many_labels_are_kept_and_all_are_real(labels_used, seed):
    whole = split(ROWS, settings(test=("m00*", "m05*")), 0.2, seed)
    sparse = split(ROWS, settings(test=("m00*", "m05*"), labels_used=labels_used), 0.2, seed)
    assert parts(sparse) == parts(whole)
    total = sum(len(row.particles) for row in whole.training)
    assert sum(len(row.particles) for row in sparse.training) == min(labels_used, total)
    for full, thin in zip(whole.training, sparse.training, strict=True):
        real = [tuple(centre) for centre in full.particles.tolist()]
        kept = [tuple(centre) for centre in thin.particles.tolist()]
        assert thin.particles.shape == (len(kept), 2)
        assert set(kept) <= set(real)
        assert len(set(kept)) == len(kept)
        assert (thin.row, thin.false is full.false) == (full.row, True)
    assert sparse.validation == whole.validation  # scores still count every label
    assert sparse.test == whole.test


@given(repeat=st.integers(2, 5), seed=SEEDS, labels_used=st.none() | st.integers(1, 8))
def test_repeats_are_shown_in_training_alone(repeat, seed, labels_used):
    once, often = (
        split(ROWS, settings(test=("m00*", "m05*"), labels_used=labels_used, repeat=count), 0.2, seed)
        for count in (1, repeat)
    )
    assert names(often.training) == repeat * names(once.training)
    assert (often.validation, often.test) == (once.validation, once.test)
    assert names(often.learnt) == names(once.training)
    assert once.learnt == once.training
    labels = [sum(len(row.particles) for row in one.learnt) for one in (once, often)]
    assert labels[0] == labels[1]


def test_repeats_of_one_data_set_leave_another_as_it_is():
    one, other = split(ROWS[:6], settings(repeat=3), 0.3, 1), split(ROWS[6:], settings(), 0.3, 1)
    both = one + other
    assert Counter(names(both.training)) == {
        **dict.fromkeys(names(one.training), 3),
        **dict.fromkeys(names(other.training), 1),
    }
    assert sorted(names(both.learnt) + names(both.validation)) == names(ROWS)


def test_sparse_labels_come_from_everywhere():
    rows = [labelled_row(f"m{number}", count=50) for number in range(4)]
    counts = np.zeros(4)
    for seed in range(40):
        found = split(rows, settings(validation=(), labels_used=20), 0.0, seed)
        counts += [len(row.particles) for row in found.training]
    assert counts.sum() == 800
    np.testing.assert_allclose(counts, 200, atol=60)


@given(count=st.integers(2, 12), seed=SEEDS)
def test_folds_part_the_micrographs_evenly(count, seed):
    found = list(folds(ROWS, count, seed))
    assert len(found) == count
    assert sorted(chain(*map(names, found))) == names(ROWS)
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert [names(part) for part in folds(ROWS, count, seed)] == [names(part) for part in found]


@pytest.mark.parametrize("role", ["test", "validation"])
def test_a_pattern_that_fits_nothing_is_refused(role):
    with pytest.raises(UsageError, match=rf"{role} pattern 'z\*' fits no labelled micrograph of apo.*m00"):
        split(ROWS, settings(**{role: ("m00*", "z*")}), 0.2, 0)
    with pytest.raises(UsageError, match=rf"{role} pattern 'z\*' fits no labelled micrograph of apo.*m00"):
        check_patterns(names(ROWS), settings(**{role: ("m00*", "z*")}))


def test_a_micrograph_in_test_and_validation_is_refused():
    with pytest.raises(UsageError, match=r"m03\.mrc of apo is in both test and validation"):
        split(ROWS, settings(test=("m0*",), validation=("m03*",)), 0.2, 0)


def test_splits_add_up():
    one, other = split(ROWS[:6], settings(test=("m00*",)), 0.3, 1), split(ROWS[6:], settings(), 0.3, 1)
    both = one + other
    assert parts(both) == [a + b for a, b in zip(parts(one), parts(other), strict=True)]


def test_a_training_set_must_show_a_particle():
    check(Split((labelled_row("a"),), (), ()))
    empty = labelled_row("b", particles=nowhere())
    check(Split((empty, labelled_row("a")), (), ()))
    with pytest.raises(UsageError, match="one class only"):
        check(Split((empty, empty), (labelled_row("a"),), ()))
    with pytest.raises(UsageError, match="no micrograph is left to learn from"):
        check(Split((), (labelled_row("a"),), ()))


@given(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=12), share=SHARES, seed=SEEDS)
def test_of_many_small_simulated_sets_a_share_of_all_chooses_and_of_real_ones_a_share_of_each(
    sizes, share, seed
):
    rows = [labelled_row(f"s{number:02}.mrc", count=1) for number in range(sum(sizes))]
    ends = np.cumsum([0, *sizes])
    small = [
        (tuple(rows[start:end]), settings(name=f"set{start}", simulated=True))
        for start, end in pairwise(ends)
    ]
    found = split_all([*small, (tuple(ROWS), settings())], share, seed)
    real = split(ROWS, settings(), share, seed)
    assert sorted(chain(*parts(found))) == sorted(names(ROWS) + names(rows))
    wanted = min(max(round(share * len(rows)), bool(share)), len(rows) - 1)
    assert len(found.validation) == wanted + len(real.validation)
    assert set(names(real.validation)) <= set(names(found.validation))
