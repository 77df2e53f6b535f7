from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.training.data.batch_plan import VALIDATION_EPOCH, BatchPlan, Spot
from cryopick_ray.training.recipes.recipe import Slot

PLANS = st.builds(
    BatchPlan,
    seed=st.integers(0, 2**32 - 1),
    micrographs=st.integers(1, 40),
    batch=st.integers(1, 24),
    steps=st.integers(1, 6),
)
EPOCHS = st.integers(0, 50) | st.just(VALIDATION_EPOCH)


def spots(plan, epoch, workers=1):
    """Return, step by step, what all workers make together, and who makes it."""
    shares = [list(plan.batches(epoch, rank, workers)) for rank in range(workers)]
    return [
        [(spot, rank) for rank, own in enumerate(shares) for spot in own[step]] for step in range(plan.steps)
    ]


@given(plan=PLANS, epoch=EPOCHS, workers=st.integers(1, 30))
def test_workers_make_the_batches_of_one_together_none_twice(plan, epoch, workers):
    together = spots(plan, epoch, workers)
    assert len(together) == plan.steps
    for number, step in enumerate(together):
        assert [spot for spot, _ in step] == [Spot(epoch, number, slot) for slot in range(plan.batch)]
        shares = Counter(rank for _, rank in step)
        counts = [shares[rank] for rank in range(workers)]
        assert max(counts) - min(counts) <= 1


@given(
    plan=PLANS.filter(lambda plan: plan.micrographs >= plan.batch), epoch=EPOCHS, workers=st.integers(1, 8)
)
def test_with_enough_micrographs_no_two_workers_read_the_same(plan, epoch, workers):
    readers = {(plan.micrograph(spot), rank) for step in spots(plan, epoch, workers) for spot, rank in step}
    names = [name for name, _ in readers]
    assert len(names) == len(set(names))


@given(plan=PLANS, epoch=EPOCHS, workers=st.integers(1, 8))
def test_neighbours_alone_share_a_micrograph(plan, epoch, workers):
    readers: dict[int, set[int]] = {}
    for step in spots(plan, epoch, workers):
        for spot, rank in step:
            readers.setdefault(plan.micrograph(spot), set()).add(rank)
    shared = sum(len(ranks) - 1 for ranks in readers.values())
    assert shared <= workers - 1


@given(plan=PLANS, epoch=EPOCHS)
def test_an_epoch_that_has_room_uses_every_micrograph_evenly(plan, epoch):
    used = Counter(plan.micrograph(spot) for step in spots(plan, epoch) for spot, _ in step)
    assert set(used) <= set(range(plan.micrographs))
    if plan.micrographs <= plan.batch:
        counts = [used[name] for name in range(plan.micrographs)]
        assert max(counts) - min(counts) <= plan.steps  # one slot more or less
    elif plan.steps * plan.batch >= plan.micrographs + plan.batch:
        assert len(used) == plan.micrographs
    else:
        assert len(used) >= plan.batch


def test_over_epochs_every_micrograph_is_used_alike():
    for micrographs, batch, steps in ((7, 3, 2), (5, 8, 1), (30, 4, 3)):
        plan = BatchPlan(3, micrographs, batch, steps)
        used = Counter(
            plan.micrograph(spot) for epoch in range(400) for step in spots(plan, epoch) for spot, _ in step
        )
        expected = 400 * batch * steps / micrographs
        assert all(abs(used[name] - expected) < 5 * np.sqrt(expected) for name in range(micrographs))


def test_every_example_has_its_own_random_numbers():
    plan = BatchPlan(5, 4, 6, 5)
    every = [
        spot for epoch in (*range(6), VALIDATION_EPOCH) for step in spots(plan, epoch) for spot, _ in step
    ]
    drawn = [plan.generator(spot).integers(2**63) for spot in every]
    assert len(set(drawn)) == len(every)
    assert [BatchPlan(5, 4, 6, 5).generator(spot).integers(2**63) for spot in every] == drawn
    other = {BatchPlan(6, 4, 6, 5).generator(spot).integers(2**63) for spot in every}
    assert not other & set(drawn)


SHARES = st.sampled_from([0.0625, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9])


@given(
    plan=PLANS.flatmap(lambda plan: st.builds(replace, st.just(plan), steps=st.integers(1, 80))),
    epoch=EPOCHS,
    share=SHARES,
)
def test_every_batch_holds_its_share_and_every_micrograph_shows_both(plan, epoch, share):
    shown: dict[tuple[int, int], list[bool]] = {}
    for step in spots(plan, epoch):
        wanted = [Slot(plan.turn(spot), plan.batch).falls_to(share) for spot, _ in step]
        assert sum(wanted) == int(plan.batch * share)
        for (spot, _), one in zip(step, wanted, strict=True):
            shown.setdefault((plan.micrograph(spot), spot.slot), []).append(one)
    for one in shown.values():
        rounds = len(one) / plan.batch + 1  # a batch holds less than its share where it does not divide
        assert abs(sum(one) - share * len(one)) <= 1 + rounds
        if plan.batch * min(share, 1 - share) >= 1 and len(one) * min(share, 1 - share) >= 2:
            assert len(set(one)) == 2


@given(plan=PLANS)
def test_equal_seeds_deal_alike_and_epochs_differently(plan):
    def deal(plan, epoch):
        return [plan.micrograph(spot) for step in spots(plan, epoch) for spot, _ in step]

    again = BatchPlan(plan.seed, plan.micrographs, plan.batch, plan.steps)
    assert deal(plan, 3) == deal(again, 3)
    if plan.micrographs >= 12 and plan.batch >= 12:
        assert deal(plan, 3) != deal(plan, 4)


@given(plan=PLANS, epoch=st.integers(0, 10**6))
def test_validation_is_never_trained_on(plan, epoch):
    assert not {spot for step in spots(plan, epoch) for spot in step} & {
        spot for step in spots(plan, VALIDATION_EPOCH) for spot in step
    }
