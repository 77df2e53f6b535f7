import json

import numpy as np
import pytest
import torch
from score_map import score_map

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.scoring import Scoring
from cryopick_ray.pickers.topaz.mixture import normalise
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.topaz.picker import FLOOR, TopazPicker, doubled
from cryopick_ray.pickers.weights import ModelCard, weights_digest


def model(architecture="topaz-resnet8", seed=0, **changes):
    torch.manual_seed(seed)
    network = TopazNetwork(architecture, 2)
    card = {
        "name": "tiny",
        "architecture": architecture,
        "parameters": {"units": 2},
        "particle_px": 20.0,
        "normalisation": "topaz-gmm",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": weights_digest(network.state_dict()),
    }
    return network, ModelCard.model_validate(card | changes)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(3, 2, (173, 211)).astype(np.float32)


@pytest.mark.parametrize("architecture", ["topaz-conv3", "topaz-resnet8", "topaz-resnet16"])
def test_tiles_leave_no_seam(architecture, image):
    whole = score_map(TopazPicker(*model(architecture), tile_px=256), image)
    for tile_px in (50, 128):
        tiled = score_map(TopazPicker(*model(architecture), tile_px=tile_px), image)
        np.testing.assert_allclose(tiled, whole, atol=1e-5)


@pytest.mark.parametrize("architecture", ["topaz-conv3", "topaz-resnet8", "topaz-resnet16"])
def test_a_pixel_has_the_score_of_the_patch_around_it(architecture, image):
    network, card = model(architecture)
    scores = score_map(TopazPicker(network, card), image)
    assert scores.shape == image.shape
    assert scores.dtype == np.float32
    half = network.receptive_field_px // 2
    padded = np.pad(normalise(image), half)  # zeros: the mean of the ice
    for y, x in [(0, 0), (172, 210), (3, 200), (80, 101)]:
        patch = torch.from_numpy(padded[y : y + 2 * half + 1, x : x + 2 * half + 1].copy())
        with torch.inference_mode():
            assert scores[y, x] == pytest.approx(network(patch[None, None]).item(), abs=1e-5)


def test_an_image_smaller_than_the_receptive_field_is_scored():
    image = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    assert np.isfinite(score_map(TopazPicker(*model()), image)).all()


@pytest.mark.parametrize("architecture", ["topaz-conv3", "topaz-resnet8", "topaz-resnet16"])
def test_fast_scores_are_the_exact_ones_at_every_second_pixel(architecture, image):
    exact = score_map(TopazPicker(*model(architecture)), image)
    for tile_px in (None, 50):
        picker = TopazPicker(*model(architecture), scoring=Scoring(exact=False), tile_px=tile_px)
        fast = score_map(picker, image)
        assert fast.shape == exact.shape
        np.testing.assert_allclose(fast[::2, ::2], exact[::2, ::2], atol=1e-5)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_doubling_a_map_follows_any_cubic(degree):
    y, x = np.mgrid[:24, :30] / 10
    surface = torch.from_numpy((y**degree - 2 * x**degree + x * y ** (degree // 2))[None])
    inner = doubled(surface[:, ::2, ::2])[0, 2:-4, 2:-4]  # beyond lie places that the edge decides
    torch.testing.assert_close(inner, surface[0, 2:-4, 2:-4])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_batch_is_picked_as_its_micrographs_are(image, precision):
    picker = TopazPicker(*model(), scoring=Scoring(exact=False, precision=precision))
    stack = np.stack([image, image[::-1].copy(), 3 * image + 1])
    with torch.inference_mode():
        together = picker.pick_many(torch.from_numpy(stack))
    for one, found in zip(stack, together, strict=True):
        alone = picker.pick(one)
        assert np.array_equal(alone.x, found.x)
        np.testing.assert_allclose(alone.score, found.score, atol=1e-2)


def test_bfloat16_stays_near_float32_and_a_card_may_refuse_it(image):
    fast = TopazPicker(*model(), scoring=Scoring(exact=False))
    half = TopazPicker(*model(), scoring=Scoring(exact=False, precision="bfloat16"))
    error = np.abs(score_map(half, image) - score_map(fast, image)).max()
    assert 0 < error < 0.02 * np.ptp(score_map(fast, image)) + 0.02
    refusing = TopazPicker(*model(lowest_precision="float32"), scoring=half.scoring)
    assert score_map(refusing, image).tobytes() == score_map(fast, image).tobytes()


def test_candidates_are_separate_peaks_of_the_score_map(image):
    picker = TopazPicker(*model())
    scores, found = score_map(picker, image), picker.pick(image)
    assert len(found) > 1
    y, x = np.rint(found.y).astype(int), np.rint(found.x).astype(int)
    assert np.array_equal(found.score, scores[y, x])
    assert found.score[0] == scores.max()
    assert (np.diff(found.score) <= 0).all()
    assert (found.score > FLOOR).all()
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    assert apart[np.triu_indices(len(found), 1)].min() > picker.particle_px / 2


def test_two_calls_give_the_same_bytes(image):
    picker = TopazPicker(*model())
    assert score_map(picker, image).tobytes() == score_map(picker, image).tobytes()


def test_a_constant_image_is_refused():
    with pytest.raises(MicrographError, match="constant"):
        TopazPicker(*model()).pick(np.ones((80, 80), np.float32))


def test_settings_are_json_and_tell_models_and_scales_apart():
    texts = {
        json.dumps(picker.settings(), sort_keys=True)
        for picker in (
            TopazPicker(*model()),
            TopazPicker(*model(seed=1)),
            TopazPicker(*model("topaz-conv3")),
            TopazPicker(*model(), particle_px=27),
            TopazPicker(*model(), scoring=Scoring(exact=False)),
            TopazPicker(*model(), scoring=Scoring(exact=False, precision="bfloat16")),
        )
    }
    assert len(texts) == 6


def test_wrong_settings_are_refused():
    with pytest.raises(ModelError, match="z-score"):
        TopazPicker(*model(normalisation="z-score"))
    for size in (0.0, -3.0, float("nan")):
        with pytest.raises(UsageError, match="`particle_px`"):
            TopazPicker(*model(), particle_px=size)
    for device in ("nowhere", "meta", "cuda:99"):
        with pytest.raises(UsageError, match="`device`"):
            TopazPicker(*model(), device=device)


def test_auto_takes_what_is_there(image):
    picker = TopazPicker(*model(), device="auto")
    assert picker.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert score_map(picker, image).shape == image.shape
