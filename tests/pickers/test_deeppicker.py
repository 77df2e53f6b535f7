import json

import numpy as np
import pytest
import torch
from torch import nn

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.deeppicker.networks import DeepPickerNetwork
from cryopick_ray.pickers.deeppicker.picker import DeepPickerPicker
from cryopick_ray.pickers.patches import Windows, z_scored
from cryopick_ray.pickers.weights import ModelCard, restore, weights_digest


class DarkMiddle(DeepPickerNetwork):
    """Logits that grow with the darkness of the patch's middle: a network whose answers are known."""

    def forward(self, patches):
        middle = patches[:, 0, 24:40, 24:40].mean((1, 2))
        return torch.stack([middle, -3 * middle - 4], 1)


def card_of(network, **changes):
    card = {
        "name": "tiny",
        "architecture": "deeppicker",
        "parameters": {"hidden": 8},
        "particle_px": 40.0,
        "normalisation": "z-score",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": weights_digest(network.state_dict()),
    }
    return ModelCard.model_validate(card | changes)


def model(seed=0, kind=DeepPickerNetwork, **changes):
    torch.manual_seed(seed)
    network = kind("deeppicker", 8)
    return network, card_of(network, **changes)


def discs(shape, centres, radius=20.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.random.default_rng(0).normal(scale=0.3, size=shape)
    for at_x, at_y in centres:
        image -= 2 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / radius**2 * 2)
    return image.astype(np.float32)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(3, 2, (131, 173)).astype(np.float32)


@pytest.mark.parametrize(("hidden", "parameters"), [(256, 83_074), (128, 49_922), (64, 33_346)])
def test_parameters_are_those_of_the_paper(hidden, parameters):
    convolutions = (1 * 9 * 9 + 1) * 8 + (8 * 5 * 5 + 1) * 16 + (16 * 3 * 3 + 1) * 32 + (32 * 2 * 2 + 1) * 64
    assert parameters == convolutions + (64 * 2 * 2 + 1) * hidden + (hidden + 1) * 2
    network = DeepPickerNetwork("deeppicker", hidden)
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_layers_have_the_sides_of_the_paper():
    network = DeepPickerNetwork("deeppicker")
    sides, x = [], torch.zeros(3, 1, 64, 64)
    for layer in network.convolutions:
        x = layer(x)
        if not isinstance(layer, nn.ReLU):
            sides.append(x.shape[-1])
    assert sides == [56, 28, 24, 12, 10, 5, 4, 2]
    assert network(torch.zeros(3, 1, 64, 64)).shape == (3, 2)


def test_everything_is_in_the_state():
    network, _ = model()
    copy = restore(lambda: DeepPickerNetwork("deeppicker", 8), network.state_dict(), "copy")
    patches = torch.randn(2, 1, 64, 64)
    assert torch.equal(copy(patches), network.eval()(patches))


@pytest.mark.parametrize("arguments", [("deepicker", 256), ("deeppicker", 0), ("deeppicker", 10**9)])
def test_other_networks_are_refused(arguments):
    with pytest.raises(ModelError, match="expected"):
        DeepPickerNetwork(*arguments)


def test_windows_show_the_image_around_their_middle():
    image = np.arange(60 * 70, dtype=np.float32).reshape(60, 70)
    windows = Windows(image, 15, edge_px=4.5, device=torch.device("cpu"))
    assert windows.first_px == 4  # the middle of the fifth pixel is 4.5 px from the edge
    assert windows.shape == (60 - 8, 70 - 8)
    rows, columns = windows.grid(3)
    middle = windows.ask(rows, columns, lambda some: some[:, 7, 7])
    np.testing.assert_array_equal(middle, image[4:-4:3, 4:-4:3])
    corner = windows.ask(np.array([0]), np.array([0]), lambda some: some[:, 0, 0])
    assert corner == image[2, 2]  # row -3 is row 2: mirrored


@pytest.mark.parametrize("edge_px", [0.0, 7.3, 20.0, 32.0, 50.0])
@pytest.mark.parametrize("shape", [(90, 101), (64, 65), (30, 200)])
def test_windows_stay_away_from_the_edges(shape, edge_px):
    windows = Windows(np.zeros(shape, np.float32), 64, edge_px=edge_px, device=torch.device("cpu"))
    for count, side in zip(windows.shape, shape, strict=True):
        if count:
            first, last = windows.first_px, windows.first_px + count - 1
            assert min(first, side - 1 - last) >= edge_px - 0.5 or edge_px > 32
            assert first == side - 1 - last
            assert first - 1 < max(edge_px, 0) - 0.5 or edge_px > 32
        else:
            assert side < 2 * edge_px or side < 64


def test_brightness_and_contrast_do_not_matter(image):
    picker = DeepPickerPicker(*model())
    one, other = picker.pick(image), picker.pick(7 * image - 50)
    np.testing.assert_allclose(one.score, other.score, atol=1e-4)
    assert len(one) > 0


def test_a_flat_patch_is_no_error():
    assert torch.equal(z_scored(torch.full((2, 8, 8), 3.0)), torch.zeros(2, 8, 8))


def test_particles_are_found_where_they_are():
    centres = [(60.0, 50.0), (131.5, 71.0), (90.0, 140.0), (22.0, 120.0)]
    found = DeepPickerPicker(*model(kind=DarkMiddle)).pick(discs((170, 190), centres))
    for x, y in centres:
        assert np.hypot(found.x[:4] - x, found.y[:4] - y).min() < 1.5
    assert (np.diff(found.score) <= 0).all()


def test_scores_are_those_of_the_patch_around_the_place():
    network, card = model()
    image = np.random.default_rng(0).normal(size=(131, 173)).astype(np.float32)
    windows = Windows(image, 64, edge_px=20, device=torch.device("cpu"))
    rows, columns = (
        np.array([[0, 7], [30, windows.shape[0] - 1]]),
        np.array([[0, 50], [3, windows.shape[1] - 1]]),
    )
    with torch.inference_mode():
        scores = windows.ask(rows, columns, DeepPickerPicker(network, card).probability)
    padded = np.pad(image, 64, mode="symmetric")
    for row, column, score in zip(rows.flat, columns.flat, scores.flat, strict=True):
        top, left = (int(at + windows.first_px - 31.5) + 64 for at in (row, column))
        patch = z_scored(torch.from_numpy(padded[top : top + 64, left : left + 64].copy()))
        with torch.inference_mode():
            assert torch.softmax(network(patch[None, None]), 1)[0, 1].item() == pytest.approx(score, abs=1e-4)


def test_picks_keep_clear_of_the_edges_and_of_each_other(image):
    picker = DeepPickerPicker(*model())
    found = picker.pick(image)
    assert len(found) > 3
    assert found.x.dtype == found.y.dtype == found.score.dtype == np.float32
    for at, side in ((found.x, 173), (found.y, 131)):
        assert at.min() >= 19.5
        assert at.max() <= side - 20.5
    apart = np.hypot(found.x[:, None] - found.x, found.y[:, None] - found.y)
    assert apart[np.triu_indices(len(found), 1)].min() > 20 - 4  # a vertex moves half a stride
    assert picker.pick(image).x.tobytes() == found.x.tobytes()


def test_an_image_smaller_than_a_particle_has_none():
    assert len(DeepPickerPicker(*model()).pick(np.random.default_rng(0).random((30, 90), np.float32))) == 0


def test_images_without_contrast_are_refused():
    for value in (1.0, np.nan):
        with pytest.raises(MicrographError):
            DeepPickerPicker(*model()).pick(np.full((80, 80), value, np.float32))


def test_settings_are_json_and_tell_pickers_apart():
    pickers = [
        DeepPickerPicker(*model()),
        DeepPickerPicker(*model(seed=1)),
        DeepPickerPicker(*model(), particle_px=50),
    ]
    assert len({json.dumps(picker.settings(), sort_keys=True) for picker in pickers}) == len(pickers)


def test_wrong_settings_are_refused():
    with pytest.raises(ModelError, match="topaz-gmm"):
        DeepPickerPicker(*model(normalisation="topaz-gmm"))
    for size in (0.0, -3.0, float("nan")):
        with pytest.raises(UsageError, match="--particle-px"):
            DeepPickerPicker(*model(), particle_px=size)
    with pytest.raises(UsageError, match="--device"):
        DeepPickerPicker(*model(), device="nowhere")
