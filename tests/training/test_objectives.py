import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.training.recipes.objectives import (
    NEED_PI,
    OBJECTIVES,
    cross_entropy,
    ge_binomial,
    ge_kl,
    nnpu,
    pn,
    squared_error,
    two_class_cross_entropy,
)
from cryopick_ray.training.recipes.objectives import SLACK as TOPAZ_SLACK
from cryopick_ray.training.recipes.particle_share import disc_pixels, expected_pi

PI, SLACK = 0.2, 3.0
every = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
PRIOR_MATCHING = ("ge-kl", "ge-binomial")


def loss_of_particle(g):
    return math.log1p(math.exp(-g))


def loss_of_empty(g):
    return math.log1p(math.exp(g))


def sigmoid(g):
    return 1 / (1 + math.exp(-g))


def mean(values):
    return sum(values) / len(values) if values else 0.0


def direct_cross_entropy(positive, rest):
    return mean([loss_of_particle(g) for g in positive] + [loss_of_empty(g) for g in rest])


def direct_squared_error(positive, rest):
    return mean([(1 - sigmoid(g)) ** 2 for g in positive] + [sigmoid(g) ** 2 for g in rest]) / 2


def direct_pn(positive, rest):
    return PI * mean([loss_of_particle(g) for g in positive]) + (1 - PI) * mean(
        [loss_of_empty(g) for g in rest]
    )


def direct_nnpu(positive, rest):
    empty = mean([loss_of_empty(g) for g in rest]) - PI * mean([loss_of_empty(g) for g in positive])
    return PI * mean([loss_of_particle(g) for g in positive]) + max(0, empty)


def direct_ge_kl(positive, rest):
    found = mean([sigmoid(g) for g in rest])
    divergence = PI * math.log(PI / found) + (1 - PI) * math.log((1 - PI) / (1 - found))
    return mean([loss_of_particle(g) for g in positive]) + SLACK * divergence


def direct_ge_binomial(positive, rest):
    n, p = len(rest), [sigmoid(g) for g in rest]
    spread = sum(q * (1 - q) for q in p)
    weight = [math.exp(-((sum(p) - k) ** 2) / (2 * (spread + 1e-10))) for k in range(n + 1)]
    binomial = [math.comb(n, k) * PI**k * (1 - PI) ** (n - k) for k in range(n + 1)]
    disagreement = -sum(w / sum(weight) * math.log(b) for w, b in zip(weight, binomial, strict=True))
    return mean([loss_of_particle(g) for g in positive]) + SLACK * disagreement


DIRECT = {
    "cross-entropy": direct_cross_entropy,
    "squared-error": direct_squared_error,
    "pn": direct_pn,
    "nnpu": direct_nnpu,
    "ge-kl": direct_ge_kl,
    "ge-binomial": direct_ge_binomial,
}
some_logits = st.lists(st.floats(-6, 6), min_size=0, max_size=5)


@pytest.mark.parametrize("name", OBJECTIVES)
@given(positive=some_logits, rest=st.lists(st.floats(-6, 6), min_size=1, max_size=9), column=st.booleans())
def test_every_objective_is_its_formula(name, positive, rest, column):
    logits = torch.tensor(positive + rest, dtype=torch.double)
    labels = torch.tensor([1.0] * len(positive) + [0.0] * len(rest))
    if column:
        logits, labels = logits[:, None], labels[:, None]
    loss = OBJECTIVES[name](logits, labels, PI, SLACK)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(DIRECT[name](positive, rest), rel=1e-6, abs=1e-9)


@given(
    logits=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=6),
    seed=st.integers(0, 9),
)
def test_two_classes_are_one_logit_of_their_difference(logits, seed):
    pairs = torch.tensor(logits, dtype=torch.double)
    labels = torch.randint(2, (len(pairs),), generator=torch.Generator().manual_seed(seed)).float()
    torch.testing.assert_close(
        two_class_cross_entropy(pairs, labels), cross_entropy(pairs[:, 1] - pairs[:, 0], labels)
    )


@every
@given(seed=st.integers(0, 99))
def test_the_order_of_a_batch_is_of_no_matter(objective, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(12, generator=generator, dtype=torch.double)
    labels = (torch.rand(12, generator=generator) < 0.3).double()
    order = torch.randperm(12, generator=generator)
    torch.testing.assert_close(
        objective(logits, labels, PI, SLACK), objective(logits[order], labels[order], PI, SLACK)
    )


@every
@pytest.mark.parametrize("size", [0.0, 30.0, 200.0, 1e4])
@pytest.mark.parametrize("labelled", [0, 3, 8])
def test_loss_and_gradient_stay_finite(objective, size, labelled):
    for signs in ([1.0] * 8, [-1.0] * 8, [1.0, -1.0] * 4):
        logits = (size * torch.tensor(signs)).requires_grad_()
        loss = objective(logits, (torch.arange(8) < labelled).float(), 0.03, SLACK)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()


@every
def test_gradients_are_those_of_differences(objective):
    logits = torch.linspace(-2, 3, 9, dtype=torch.double, requires_grad=True)
    labels = (torch.arange(9) % 4 == 0).double()
    assert torch.autograd.gradcheck(lambda g: objective(g, labels, PI, SLACK), (logits,))


@every
def test_labelled_particles_pull_their_scores_up(objective):
    logits = torch.zeros(20, requires_grad=True)
    objective(logits, (torch.arange(20) < 3).float(), PI, SLACK).backward()
    assert (logits.grad[:3] < 0).all()


@pytest.mark.parametrize("name", PRIOR_MATCHING)
@pytest.mark.parametrize("pi", [0.05, 0.3, 0.7])
def test_unlabelled_places_are_to_hold_the_prior(name, pi):
    # half of the places tell nothing of themselves: only their mean is judged
    logits = torch.zeros(200, dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.Adam([logits], 0.1)
    for _ in range(150):
        optimiser.zero_grad()
        OBJECTIVES[name](logits, torch.zeros(200), pi, 1.0).backward()
        optimiser.step()
    assert torch.sigmoid(logits).mean().item() == pytest.approx(pi, abs=0.02)


def test_prior_and_slack_are_asked_of_those_that_look_at_them():
    logits, labels = torch.linspace(-2, 2, 9), (torch.arange(9) < 2).float()

    def heeding(one, other):
        return {
            k for k, loss in OBJECTIVES.items() if loss(logits, labels, *one) != loss(logits, labels, *other)
        }

    assert heeding((PI, 1.0), (2 * PI, 1.0)) == set(NEED_PI)
    assert heeding((PI, 1.0), (PI, 2.0)) == TOPAZ_SLACK.keys()
    assert TOPAZ_SLACK == {"ge-binomial": 1, "ge-kl": 10}


def test_divergence_is_nothing_at_the_prior_and_positive_elsewhere():
    for pi in (0.01, 0.2, 0.9):
        at = torch.full((7,), math.log(pi / (1 - pi)), dtype=torch.double)
        assert ge_kl(at, torch.zeros(7), pi, 1.0).item() == pytest.approx(0, abs=1e-12)
        for step in (-1, -0.1, 0.1, 1):
            assert ge_kl(at + step, torch.zeros(7), pi, 1.0) > 1e-5


def test_unlike_positive_negative_a_particle_without_label_may_score_high():
    # 2 of 10 unlabelled places are particles, as pi says: scoring them 1 and the rest 0 is right
    right = torch.tensor([9.0, 9.0, 9.0] + [-9.0] * 8)
    blind = torch.tensor([9.0] + [-9.0] * 10)
    labels = (torch.arange(11) == 0).float()
    assert ge_binomial(right, labels, 0.2, 1.0) < ge_binomial(blind, labels, 0.2, 1.0)
    assert ge_kl(right, labels, 0.2, 1.0) < ge_kl(blind, labels, 0.2, 1.0)
    assert pn(right, labels, 0.2) > pn(blind, labels, 0.2)


def test_the_loss_on_the_empty_does_not_turn_negative():
    logits = torch.tensor([8.0, -8.0, -8.0])  # the labelled one at 8 would make the bracket -1.6
    labels = torch.tensor([1.0, 0.0, 0.0])
    assert nnpu(logits, labels, 0.2).item() == pytest.approx(0.2 * loss_of_particle(8.0))


def test_a_batch_of_labelled_particles_alone_is_judged_by_them():
    logits, labels = torch.tensor([0.5, -1.0]), torch.ones(2)
    fit = mean([loss_of_particle(0.5), loss_of_particle(-1.0)])
    for objective in (ge_kl, ge_binomial):
        assert objective(logits, labels, PI, SLACK).item() == pytest.approx(fit)
    assert squared_error(logits, labels).item() == pytest.approx(direct_squared_error([0.5, -1.0], []))


@pytest.mark.parametrize(
    ("radius_px", "count"), [(0, 1), (0.9, 1), (1, 5), (1.5, 9), (2, 13), (3, 29), (4, 49), (5, 81)]
)
def test_discs_have_their_pixels(radius_px, count):
    assert disc_pixels(radius_px) == count


def test_large_discs_have_the_area_of_a_circle():
    assert disc_pixels(200) == pytest.approx(math.pi * 200**2, rel=1e-3)


def test_pi_is_the_share_of_pixels():
    assert expected_pi(100, 10_000, radius_px=3) == pytest.approx(0.29)
    assert expected_pi(50, 10_000, radius_px=0) == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("particles", "pixels", "radius_px", "message"),
    [
        (0, 100, 3, "expected between 0 and 1"),
        (-1, 100, 3, "expected between 0 and 1"),
        (math.nan, 100, 3, "expected between 0 and 1"),
        (4, 100, 3, "4 particles of 29 pixels each in 100 pixels make pi 1.16"),
        (1, 0, 3, "0 pixels"),
        (1, 100, -1, "radius_px is -1"),
        (1, 100, math.inf, "radius_px is inf"),
        (1, 100, math.nan, "radius_px is nan"),
    ],
)
def test_a_prior_that_is_none_is_refused(particles, pixels, radius_px, message):
    with pytest.raises(UsageError, match=message):
        expected_pi(particles, pixels, radius_px=radius_px)
