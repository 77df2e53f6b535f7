import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.topaz.mixture import fit_ice, normalise


def ice_and_carbon(seed: int = 0, carbon: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.normal(10, 2, (300, 280))
    image[: int(300 * carbon)] -= 30
    return image.astype(np.float32)


@pytest.mark.parametrize("carbon", [0.02, 0.1, 0.3, 0.6])
def test_ice_is_found_beside_carbon(carbon):
    ice = fit_ice(ice_and_carbon(carbon=carbon))
    assert ice.mean == pytest.approx(10, abs=0.1)
    assert ice.std == pytest.approx(2, rel=0.02)
    assert ice.fraction == pytest.approx(1 - carbon, abs=0.01)


def test_without_a_second_component_all_of_it_is_ice():
    image = np.random.default_rng(0).normal(5, 3, (200, 200)).astype(np.float32)
    ice = fit_ice(image)
    assert ice.fraction == 1.0
    assert (ice.mean, ice.std) == pytest.approx((image.mean(), image.std()), rel=2e-3)


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3), seed=st.integers(0, 9))
def test_gain_and_offset_do_not_matter(gain, offset, seed):
    image = ice_and_carbon(seed)
    changed = (gain * image.astype(np.float64) + gain * offset).astype(np.float32)
    np.testing.assert_allclose(normalise(changed), normalise(image), atol=2e-3)


def test_where_the_pixels_lie_does_not_matter():
    image = ice_and_carbon()
    assert fit_ice(np.random.default_rng(1).permuted(image)) == fit_ice(image)


def test_a_hot_pixel_does_not_matter():
    image = ice_and_carbon()
    hot = image.copy()
    hot[50, 50] = 1e6
    assert fit_ice(hot).std == pytest.approx(fit_ice(image).std, rel=1e-3)


@pytest.mark.parametrize(
    "image",
    [np.ones((9, 9)), np.full((9, 9), np.nan), np.array([[1.0, np.inf, 0.0]]), np.empty((0, 5))],
    ids=["constant", "nan", "inf", "empty"],
)
def test_what_cannot_be_normalised_is_refused(image):
    with pytest.raises(MicrographError, match="cannot normalise"):
        normalise(image.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "mean", "std", "fraction"),
    [  # as printed by Topaz 0.3.20: topaz preprocess --scale 1 --sample 1 --metadata
        ("betagal-10017/Falcon_2012_06_12-15_53_09_0.mrc", 4.34645, 18.42155, 0.89634),
        ("apoferritin-10146/May08_04_32_27.mrc", 32766.5527, 6531.4124, 1.0),
    ],
)
def test_real_micrographs_have_the_ice_that_topaz_finds(real_data, name, mean, std, fraction):
    ice = fit_ice(mrcfile.read(real_data / name).astype(np.float32))
    assert ice.mean == pytest.approx(mean, abs=0.01 * std)
    assert ice.std == pytest.approx(std, rel=0.01)
    assert ice.fraction == pytest.approx(fraction, abs=0.01)
