import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryopick_ray.training.data.labelled import LabelledMicrograph, nowhere
from cryopick_ray.training.data.sampling import RING, TRIES, anywhere, beside, negative, positive

HEIGHT, WIDTH = 120, 200


def micrograph(particles=(), **labels):
    places = {name: np.array(value, np.float32).reshape(-1, 2) for name, value in labels.items()}
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    return LabelledMicrograph("m", "d", image, np.array(particles, np.float32).reshape(-1, 2), **places)


def places(count):
    corners = st.tuples(st.floats(0, WIDTH - 1, width=32), st.floats(0, HEIGHT - 1, width=32))
    return st.lists(corners, max_size=count)


def away(place, others):
    return np.hypot(*(np.asarray(others, np.float32).reshape(-1, 2) - place).T).min(initial=np.inf)


@given(particles=places(5), unsure=places(3), seed=st.integers(0, 99))
def test_a_negative_is_far_from_all_that_may_be_a_particle(particles, unsure, seed):
    """Eight discs of 15 px leave three quarters of the micrograph free."""
    x, y = negative(micrograph(particles, unsure=unsure), np.random.default_rng(seed), distance_px=15)
    assert away((x, y), particles + unsure) >= 15 - 1e-4
    assert -0.5 <= x <= WIDTH - 0.5
    assert -0.5 <= y <= HEIGHT - 0.5


@given(particles=places(20).filter(len), seed=st.integers(0, 99))
def test_where_there_is_no_room_the_farthest_place_is_taken(particles, seed):
    scored = anywhere(micrograph(), np.random.default_rng(seed), TRIES)
    farthest = max(away(place, particles) for place in scored)
    found = negative(micrograph(particles), np.random.default_rng(seed), distance_px=1e4)
    assert away(found, particles) == pytest.approx(farthest, abs=1e-3)


def test_negatives_are_not_drawn_to_the_far_places_where_near_ones_do():
    crowd, rng = micrograph([(100, 60)]), np.random.default_rng(0)
    distances = [away(negative(crowd, rng, distance_px=20), crowd.particles) for _ in range(1000)]
    free_area = HEIGHT * WIDTH - np.pi * 20**2
    assert np.mean(np.less(distances, 40)) == pytest.approx(3 * np.pi * 20**2 / free_area, abs=0.04)


@given(particles=places(12), unsure=places(3), seed=st.integers(0, 99))
def test_a_place_beside_a_particle_is_in_its_ring_and_near_no_other(particles, unsure, seed):
    labelled = micrograph(particles, unsure=unsure)
    place = beside(labelled, np.random.default_rng(seed), diameter_px=30)
    assert place == beside(labelled, np.random.default_rng(seed), diameter_px=30)
    if place is None:
        assert (len(particles), len(unsure)) != (1, 0)  # alone it leaves room, wherever it lies
    else:
        assert away(place, particles + unsure) >= RING[0] * 30 - 2e-3
        assert away(place, particles) <= RING[1] * 30 + 1e-3
        assert -0.5 <= place[0] <= WIDTH - 0.5
        assert -0.5 <= place[1] <= HEIGHT - 0.5


def test_places_beside_a_particle_are_spread_evenly_from_near_to_far_and_around():
    one, rng = micrograph([(100, 60)]), np.random.default_rng(0)
    drawn = np.array([beside(one, rng, diameter_px=40) for _ in range(2000)]) - (100, 60)
    reach = np.hypot(*drawn.T) / 40
    assert np.quantile(reach, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(np.linspace(*RING, 5), abs=0.02)
    assert np.histogram(np.arctan2(*drawn.T), 8, (-np.pi, np.pi))[0].min() > 190


def test_where_particles_touch_all_around_there_is_no_place_beside_one():
    crowd = np.stack(np.meshgrid(np.arange(0, WIDTH, 5), np.arange(0, HEIGHT, 5)), -1).reshape(-1, 2)
    assert beside(micrograph(crowd), np.random.default_rng(0), diameter_px=40) is None
    assert beside(micrograph(), np.random.default_rng(0), diameter_px=40) is None


def test_half_of_the_negatives_are_known_false_picks():
    false = [(10.25, 20.5), (150, 100), (30, 30)]
    labelled, rng = micrograph([(100, 60)], false=false), np.random.default_rng(0)
    drawn = [negative(labelled, rng, distance_px=20) for _ in range(600)]
    counts = [drawn.count(place) for place in false]
    assert 250 < sum(counts) < 350
    assert min(counts) > 60
    others = [place for place in drawn if place not in false]
    assert min(away(place, labelled.particles) for place in others) >= 20


@given(
    particles=places(6).filter(len),
    jitter_px=st.floats(0, 30),
    seed=st.integers(0, 99),
)
def test_a_positive_is_within_jitter_of_a_particle(particles, jitter_px, seed):
    place = positive(micrograph(particles), np.random.default_rng(seed), jitter_px=jitter_px)
    assert away(place, particles) <= jitter_px + 1e-3
    assert place == positive(micrograph(particles), np.random.default_rng(seed), jitter_px=jitter_px)


def test_positives_fill_the_disc_around_every_particle():
    particles, rng = np.float32([(40, 40), (150, 80)]), np.random.default_rng(0)
    drawn = np.array([positive(micrograph(particles), rng, jitter_px=10) for _ in range(2000)])
    off = drawn[:, None] - particles
    near = np.hypot(*off.transpose(2, 0, 1))
    assert 900 < (near[:, 0] < 10.001).sum() < 1100
    own = off[np.arange(2000), near.argmin(1)]
    assert np.mean(near.min(1) < 5) == pytest.approx(0.25, abs=0.04)  # a quarter of the area
    np.testing.assert_allclose(own.mean(0), 0, atol=0.4)


def test_without_jitter_it_is_the_particle_itself():
    assert positive(micrograph([(3.5, 7.25)]), np.random.default_rng(0)) == (3.5, 7.25)


def test_without_particles_there_is_no_positive_but_a_negative():
    empty = micrograph(nowhere())
    assert positive(empty, np.random.default_rng(0), jitter_px=5) is None
    assert len(negative(empty, np.random.default_rng(0), distance_px=5)) == 2


@given(arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.just(0)))
def test_unlabelled_places_lie_in_the_micrograph(image):
    drawn = anywhere(LabelledMicrograph("m", "d", image, nowhere()), np.random.default_rng(0), 50)
    assert (drawn.shape, drawn.dtype) == ((50, 2), np.float32)
    assert (drawn >= -0.5).all()
    assert (drawn <= np.array(image.shape[::-1]) - 0.5).all()


def test_unlabelled_places_are_uniform_whatever_the_labels():
    labelled = micrograph([(100, 60)] * 9, false=[(1, 1)], unsure=[(5, 5)])
    drawn = anywhere(labelled, np.random.default_rng(0), 8000)
    counts, _, _ = np.histogram2d(*drawn.T, bins=(4, 4), range=((-0.5, WIDTH - 0.5), (-0.5, HEIGHT - 0.5)))
    assert counts.sum() == 8000
    np.testing.assert_allclose(counts, 500, atol=5 * np.sqrt(500))
