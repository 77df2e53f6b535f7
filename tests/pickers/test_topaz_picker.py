import json

import numpy as np
import pytest
import torch

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.topaz.normalise import normalise
from cryopick_ray.pickers.topaz.picker import FLOOR, TopazPicker
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
    whole = TopazPicker(*model(architecture), tile_px=256).score_map(image)
    for tile_px in (50, 128):
        tiled = TopazPicker(*model(architecture), tile_px=tile_px).score_map(image)
        np.testing.assert_allclose(tiled, whole, atol=1e-5)


@pytest.mark.parametrize("architecture", ["topaz-conv3", "topaz-resnet8", "topaz-resnet16"])
def test_a_pixel_has_the_score_of_the_patch_around_it(architecture, image):
    network, card = model(architecture)
    scores = TopazPicker(network, card).score_map(image)
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
    assert np.isfinite(TopazPicker(*model()).score_map(image)).all()


def test_candidates_are_separate_peaks_of_the_score_map(image):
    picker = TopazPicker(*model())
    scores, found = picker.score_map(image), picker.pick(image)
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
    assert picker.score_map(image).tobytes() == picker.score_map(image).tobytes()


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
            TopazPicker(*model(), tile_px=64),
        )
    }
    assert len(texts) == 5


def test_wrong_settings_are_refused():
    with pytest.raises(ModelError, match="z-score"):
        TopazPicker(*model(normalisation="z-score"))
    for size in (0.0, -3.0, float("nan")):
        with pytest.raises(UsageError, match="--particle-px"):
            TopazPicker(*model(), particle_px=size)
    for device in ("nowhere", "meta", "cuda:99"):
        with pytest.raises(UsageError, match="--device"):
            TopazPicker(*model(), device=device)


def test_auto_takes_what_is_there(image):
    picker = TopazPicker(*model(), device="auto")
    assert picker.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert picker.score_map(image).shape == image.shape
