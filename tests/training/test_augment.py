import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn

from cryopick_ray.training.data import augment

CHAINS = (augment.cryolo_chain, augment.general_chain)
EVERY = (*augment.CRYOLO, *(change for change, _ in augment.GENERAL[:-1]), *CHAINS)
FILTERS = (augment.defocus_like, augment.reshape_spectrum, augment.flatten_out, augment.denoise)
every = pytest.mark.parametrize("change", EVERY, ids=lambda change: change.__name__)
filters = pytest.mark.parametrize("change", FILTERS, ids=lambda change: change.__name__)
seeds = st.integers(0, 2**32)


def picture(seed=0, shape=(40, 33), mean=3.0):
    return np.random.default_rng(seed).normal(mean, 2, shape).astype(np.float32)


def with_disc(size=64):
    rows, columns = np.indices((size, size)) - size / 2
    return np.where(np.hypot(rows, columns) < 10, -3, 0).astype(np.float32)


@every
@given(seed=seeds, shape=st.tuples(st.integers(1, 40), st.integers(1, 40)), level=st.sampled_from([0, -7, 4]))
def test_shape_type_and_the_input_are_kept(change, seed, shape, level):
    image = picture(seed, shape, level)
    before = image.copy()
    changed = change(image, np.random.default_rng(seed))
    assert (changed.shape, changed.dtype) == (shape, np.float32)
    assert np.isfinite(changed).all()
    assert np.array_equal(image, before)


@every
def test_an_even_image_stays_even(change):
    for seed in range(20):
        changed = change(np.full((24, 25), -2, np.float32), np.random.default_rng(seed))
        assert np.ptp(changed) < 1e-4


@every
def test_the_generator_decides_alone(change):
    image = picture()
    same = [change(image, np.random.default_rng(5)).tobytes() for _ in range(2)]
    assert same[0] == same[1]
    assert len({change(image, np.random.default_rng(seed)).tobytes() for seed in range(20)}) > 10


@every
@given(seed=seeds)
def test_a_dark_particle_stays_dark(change, seed):
    rng = np.random.default_rng(seed)
    draws = 1 if change in FILTERS else 40  # one draw of noise may hide it
    changed = np.mean([change(with_disc(), rng) for _ in range(draws)], axis=0)
    assert changed[24:40, 24:40].mean() < changed.mean() < changed[:12].mean()


@filters
@given(seed=seeds, level=st.sampled_from([0.0, 1.0, -500.0]))
def test_filters_keep_mean_and_spread(change, seed, level):
    image = picture(seed, mean=level)
    changed = change(image, np.random.default_rng(seed))
    assert changed.mean(dtype=float) == pytest.approx(image.mean(dtype=float), abs=1e-4 + 1e-6 * abs(level))
    assert changed.std(dtype=float) == pytest.approx(image.std(dtype=float), rel=1e-3)


@filters
@given(seed=seeds, turns=st.integers(0, 3), flip=st.booleans())
def test_filters_do_not_prefer_a_direction(change, seed, turns, flip):
    def turned(image):
        return np.rot90(image[:, ::-1] if flip else image, turns)

    image = picture(seed, (32, 32))
    there = turned(change(image, np.random.default_rng(seed)))
    np.testing.assert_allclose(
        change(np.ascontiguousarray(turned(image)), np.random.default_rng(seed)), there, atol=1e-4
    )


@filters
@given(seed=seeds, factor=st.sampled_from([0.25, 2.0, 100.0]))
def test_filters_are_linear(change, seed, factor):
    image = picture(seed)
    np.testing.assert_allclose(
        change(image * np.float32(factor), np.random.default_rng(seed)),
        factor * change(image, np.random.default_rng(seed)),
        rtol=1e-3,
        atol=1e-4 * factor,
    )


@filters
def test_filters_multiply_rings_of_the_spectrum(change):
    image = picture(shape=(48, 48), mean=0)
    ring = np.add.outer(np.arange(48) ** 2, np.arange(48) ** 2)
    for seed in range(10):
        changed = change(image, np.random.default_rng(seed))
        ratio = dctn(changed.astype(float)) / dctn(image.astype(float))
        low = [ratio[ring == squared] for squared in (25, 50, 325)]  # 3-4-5, 1-7 and 5-5, 1-18 ...
        assert all(len(values) > 2 and np.ptp(values) < 0.05 * np.abs(ratio).max() for values in low)
        assert np.ptp(ratio[ring > 0]) > 1e-2


def test_contrast_stretches_about_the_mean():
    image = picture()
    factors = []
    for seed in range(200):
        changed = augment.contrast(image, np.random.default_rng(seed))
        factors.append(changed.std() / image.std())
        assert changed.mean() == pytest.approx(image.mean(), abs=1e-4)
        np.testing.assert_allclose(changed, image.mean() + factors[-1] * (image - image.mean()), atol=1e-3)
    assert 0.5 <= min(factors) < 0.55
    assert 1.8 < max(factors) <= 2.0001
    assert np.median(factors) == pytest.approx(1, abs=0.15)


def test_multiply_is_one_factor():
    image = picture() + 5
    factors = [augment.multiply(image, np.random.default_rng(seed)) / image for seed in range(100)]
    assert all(np.ptp(factor) < 1e-6 for factor in factors)
    context = [factor.mean() for factor in factors]
    assert 0.5 <= min(context) < 0.55
    assert 1.45 < max(context) <= 1.5


@pytest.mark.parametrize(
    ("change", "least", "median", "most"),
    [(augment.add_noise, 0.1, 0.3, 0.5), (augment.add_strong_noise, 0.3, 1.8**0.5, 6.0)],
)
def test_noise_adds_its_variance(change, least, median, most):
    image = picture(shape=(200, 200))
    shares, generator = [], np.random.default_rng(0)
    for _ in range(300):
        added = change(image, generator) - image
        shares.append(added.std() / image.std())
        assert added.mean() == pytest.approx(0, abs=0.01 + 0.03 * most)
        assert (image + added).var() == pytest.approx(image.var() + added.var(), rel=0.05)
    assert 0.98 * least < min(shares) < 1.3 * least
    assert np.median(shares) == pytest.approx(median, rel=0.2)
    assert 0.9 * most < max(shares) < 1.02 * most


def test_dropped_pixels_take_the_mean():
    image = picture(shape=(100, 100))
    shares = []
    for seed in range(50):
        changed = augment.pixel_dropout(image, np.random.default_rng(seed))
        lost = changed != image
        assert np.all(changed[lost] == image.mean())
        shares.append(lost.mean())
    assert 0.005 < min(shares) < 0.03
    assert 0.08 < max(shares) < 0.11


@given(seed=seeds)
def test_blur_evens_out(seed):
    image = picture(seed)
    changed = augment.blur(image, np.random.default_rng(seed))
    assert changed.std() <= image.std() * 1.0001
    assert changed.min() >= image.min() - 1e-5
    assert changed.max() <= image.max() + 1e-5


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_leaves_some_images_alone(chain):
    image = picture()
    kept = [np.array_equal(chain(image, np.random.default_rng(seed)), image) for seed in range(200)]
    assert 0 < np.mean(kept) < 0.5


def test_scrambled_noise_has_the_spectrum_mean_and_spread_of_the_image_and_none_of_its_places():
    image = np.random.default_rng(0).normal(3, 0.1, (96, 120)).astype(np.float32)
    image[40:50, 60:70] -= 1
    changed = augment.scramble(image, np.random.default_rng(1))
    assert (changed.shape, changed.dtype) == (image.shape, np.float32)
    before, after = (np.abs(np.fft.rfft2(one.astype(float)))[:48] for one in (image, changed))
    inner = np.s_[1:, 1:60]  # on the rim a real image's phases are no free choice
    np.testing.assert_allclose(after[inner], before[inner], rtol=1e-3, atol=1e-3)
    assert changed.mean() == pytest.approx(image.mean(), abs=1e-4)
    assert changed.std() == pytest.approx(image.std(), rel=0.05)
    assert abs(np.corrcoef(changed.ravel(), image.ravel())[0, 1]) < 0.2
    assert image.min() < 2 < changed.min()
