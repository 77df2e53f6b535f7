import json

import numpy as np
import pytest
import torch
from torch import nn

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.deepem.exact import BOXES, ExactScores
from cryopick_ray.pickers.deepem.networks import (
    DeepEMNetwork,
)
from cryopick_ray.pickers.deepem.picker import DeepEMPicker
from cryopick_ray.pickers.patches import z_scored
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.weights import ModelCard, weights_digest

BOX = 32
FAST = Scoring(exact=False)
EVERY = pytest.mark.parametrize("scoring", [EXACT, FAST], ids=["exact", "fast"])


def model(seed=0, network=None, **changes):
    torch.manual_seed(seed)
    network = network or DeepEMNetwork("deepem", BOX)
    card = {
        "name": "tiny",
        "architecture": "deepem",
        "parameters": {"box_px": BOX, "relu": 0},
        "particle_px": 20.0,
        "normalisation": "z-score",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": weights_digest(network.state_dict()),
    }
    return network, ModelCard.model_validate(card | changes)


def dark_middle():
    """A network whose answers grow with the darkness of the box's middle."""
    network = DeepEMNetwork("deepem", BOX)
    first, second, third = (
        convolution for convolution in network.convolutions if isinstance(convolution, nn.Conv2d)
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        first.weight[0] = -2 / 9
        second.weight[0, 0, 1, 1] = third.weight[0, 0, 1, 1] = 6
        second.bias[0] = third.bias[0] = -3
        network.output.weight[0, 0] = 12
        network.output.bias[0] = -8
    return network


def spots(shape, centres, sigma=5.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.random.default_rng(0).normal(scale=0.3, size=shape)
    for at_x, at_y in centres:
        image -= 2 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(3, 2, (91, 123)).astype(np.float32)


def lively(network, gain=4):
    """Make a fresh network, which answers nearly the same to all, tell boxes apart."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= gain
    return network


@pytest.mark.parametrize(
    ("architecture", "box_px", "relu", "step_px"),
    [("deepem", 32, 0, 3), ("deepem", 33, 1, 3), ("deepem", 64, 0, 6), ("deepem-19s", 160, 0, 12)],
)
def test_a_shared_first_layer_gives_the_answer_about_each_box(architecture, box_px, relu, step_px):
    torch.manual_seed(box_px)
    network = lively(DeepEMNetwork(architecture, box_px, relu).eval(), 2 if relu else 4)
    image = torch.randn(box_px + 6 * step_px, box_px + 9 * step_px) + 0.5
    boxes = image.unfold(0, box_px, step_px).unfold(1, box_px, step_px)
    std, mean = torch.std_mean(boxes, (-2, -1), correction=0)
    with torch.inference_mode():
        scores = ExactScores(network, step_px, *mean.shape)(image, mean, std)
        answers = network(z_scored(boxes).reshape(-1, 1, box_px, box_px)).view(mean.shape)
    assert scores.std() > 1e-3
    torch.testing.assert_close(scores, answers, atol=1e-5, rtol=0)


@pytest.mark.parametrize("boxes", [1, 30, 10**6])
def test_how_many_boxes_are_asked_at_once_does_not_matter(boxes, monkeypatch):
    network, image = lively(DeepEMNetwork("deepem", BOX).eval()), torch.randn(68, 74)
    mean, std = torch.zeros(13, 15), torch.ones(13, 15)
    with torch.inference_mode():
        scores = ExactScores(network, 3, 13, 15)(image, mean, std)
        monkeypatch.setitem(BOXES, "cpu", boxes)
        torch.testing.assert_close(
            ExactScores(network, 3, 13, 15)(image, mean, std), scores, atol=1e-6, rtol=0
        )


def test_exact_scores_are_the_mean_over_four_orientations_of_the_box(image):
    picker = DeepEMPicker(*model(network=lively(DeepEMNetwork("deepem", BOX))))
    windows = picker.windows(torch.from_numpy(image)[None])
    with torch.inference_mode():
        boxes = z_scored(windows.all()).reshape(-1, 1, BOX, BOX)
        answers = [picker.network(torch.rot90(boxes, turns, (-2, -1))) for turns in range(4)]
        scores = picker.score_maps(windows)
    torch.testing.assert_close(scores, torch.stack(answers).mean(0).view(windows.shape), atol=1e-5, rtol=0)
    assert not torch.allclose(answers[0].view(windows.shape), scores, atol=1e-3)


def test_the_exact_score_does_not_depend_on_the_orientation():
    picker = DeepEMPicker(*model(network=lively(DeepEMNetwork("deepem", BOX))))
    image = torch.from_numpy(spots((86, 98), [(40.0, 30.0), (70.0, 55.0)]))[None]
    assert (86 - 20) % 3 == (98 - 20) % 3 == 0  # the grid has a box as near to each edge
    with torch.inference_mode():
        upright = picker.score_maps(picker.windows(image))
        for turns in (1, 2, 3):
            turned = picker.score_maps(picker.windows(torch.rot90(image, turns, (1, 2))))
            torch.testing.assert_close(torch.rot90(turned, -turns, (1, 2)), upright, atol=1e-5, rtol=0)


def test_fast_scores_are_near_exact_ones_where_the_image_is_even():
    network, card = model(network=dark_middle())
    images = torch.from_numpy(spots((200, 200), np.random.default_rng(1).uniform(10, 190, (40, 2))))[None]
    with torch.inference_mode():
        exact, fast = (
            picker.score_maps(picker.windows(images)).flatten()
            for picker in (DeepEMPicker(network, card, scoring=one) for one in (EXACT, FAST))
        )
    both = (exact > -torch.inf) & (fast > -torch.inf)
    assert both.float().mean() > 0.9
    assert torch.corrcoef(torch.stack([exact[both], fast[both]]))[0, 1] > 0.9


@EVERY
def test_tiles_do_not_matter(image, scoring, monkeypatch):
    network, card = model(network=lively(DeepEMNetwork("deepem", BOX)))
    picker, images = DeepEMPicker(network, card, scoring=scoring), torch.from_numpy(image)[None]
    with torch.inference_mode():
        whole = picker.score_maps(picker.windows(images))
        monkeypatch.setattr(picker, "tile_px", 25)
        torch.testing.assert_close(picker.score_maps(picker.windows(images)), whole, atol=1e-5, rtol=0)


@EVERY
def test_several_images_are_picked_as_each_of_them(image, scoring):
    picker = DeepEMPicker(*model(network=lively(DeepEMNetwork("deepem", BOX))), scoring=scoring)
    images = [image, np.flipud(image) * 3 + 1, image**2]
    with torch.inference_mode():
        together = picker.pick_many(torch.from_numpy(np.stack(images)))
    for found, alone in zip(together, map(picker.pick, images), strict=True):
        np.testing.assert_allclose(found.score, alone.score, atol=1e-4)
        for name in ("x", "y"):  # of a flat top, rounding moves the vertex
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), atol=0.01)


@pytest.mark.parametrize(("box_px", "step_px"), [(24, 3), (48, 3), (67, 3), (68, 6), (160, 12), (272, 24)])
def test_the_step_is_what_the_poolings_divide_and_about_a_sixteenth_of_the_box(box_px, step_px):
    network = DeepEMNetwork("deepem", box_px)
    picker = DeepEMPicker(*model(network=network, parameters={"box_px": box_px, "relu": 0}))
    assert picker.step_px == step_px


@EVERY
def test_particles_are_found_where_they_are(scoring):
    centres = [(40.0, 30.0), (81.5, 41.0), (60.0, 90.0), (12.0, 70.0)]
    found = DeepEMPicker(*model(network=dark_middle()), scoring=scoring).pick(spots((110, 120), centres))
    for x, y in centres:
        assert np.hypot(found.x[:4] - x, found.y[:4] - y).min() < 1


@EVERY
def test_picks_keep_clear_of_the_edges_and_of_each_other(image, scoring):
    picker = DeepEMPicker(*model(), scoring=scoring)
    found = picker.pick(image)
    assert len(found) > 3
    assert found.x.dtype == found.y.dtype == found.score.dtype == np.float32
    assert (np.diff(found.score) <= 0).all()
    for at, side in ((found.x, 123), (found.y, 91)):
        assert at.min() >= 9.5
        assert at.max() <= side - 10.5
    apart = np.hypot(found.x[:, None] - found.x, found.y[:, None] - found.y)
    assert apart[np.triu_indices(len(found), 1)].min() > 10 - 2  # a vertex moves half a stride
    assert picker.pick(image).x.tobytes() == found.x.tobytes()


@EVERY
def test_boxes_of_unusual_contrast_are_skipped(scoring):
    image = spots((160, 160), [(30, 30), (130, 130)])
    image[80:, 80:] *= 20
    image[80:, :80] *= 0.03
    dark = model(network=dark_middle())
    strict = DeepEMPicker(*dark, scoring=scoring, min_std=0.5, max_std=2)
    found = strict.pick(image)
    assert np.hypot(found.x[0] - 30, found.y[0] - 30) < 1
    assert not ((found.x > 100) & (found.y > 100)).any()
    assert not ((found.x < 60) & (found.y > 100)).any()
    lenient = DeepEMPicker(*dark, scoring=scoring, min_std=0, max_std=1e9).pick(image)
    assert ((lenient.x > 100) & (lenient.y > 100)).any()
    assert ((lenient.x < 60) & (lenient.y > 100)).any()


@EVERY
def test_an_image_smaller_than_a_particle_has_none(scoring):
    image = np.random.default_rng(0).random((15, 90), np.float32)
    assert len(DeepEMPicker(*model(), scoring=scoring).pick(image)) == 0


def test_images_without_contrast_are_refused():
    for value in (1.0, np.nan):
        with pytest.raises(MicrographError):
            DeepEMPicker(*model()).pick(np.full((80, 80), value, np.float32))


def test_settings_are_json_and_tell_pickers_apart():
    pickers = [
        DeepEMPicker(*model()),
        DeepEMPicker(*model(seed=1)),
        DeepEMPicker(*model(), particle_px=30),
        DeepEMPicker(*model(), min_std=0.1),
        DeepEMPicker(*model(), max_std=9),
        DeepEMPicker(*model(), scoring=FAST),
        DeepEMPicker(*model(), scoring=Scoring(exact=False, precision="bfloat16")),
    ]
    assert len({json.dumps(picker.settings(), sort_keys=True) for picker in pickers}) == len(pickers)


def test_wrong_settings_are_refused():
    with pytest.raises(ModelError, match="topaz-gmm"):
        DeepEMPicker(*model(normalisation="topaz-gmm"))
    for size in (0.0, -3.0, float("nan")):
        with pytest.raises(UsageError, match="`particle_px`"):
            DeepEMPicker(*model(), particle_px=size)
    for limits in ((1.5, 2), (-1, 2), (0.5, 0.9), (0.5, float("nan"))):
        with pytest.raises(UsageError, match="min_std"):
            DeepEMPicker(*model(), min_std=limits[0], max_std=limits[1])
    with pytest.raises(UsageError, match="`device`"):
        DeepEMPicker(*model(), device="nowhere")
