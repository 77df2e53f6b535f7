from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.families import build_network, load_network_picker, make_picker
from cryopick_ray.pickers.topaz.networks import ARCHITECTURES, TopazNetwork
from cryopick_ray.pickers.topaz.picker import TopazPicker
from cryopick_ray.pickers.weights import ModelCard, restore, save_model, weights_digest

tiny = partial(TopazNetwork, "topaz-resnet8", 2)


def card_of(network, architecture="topaz-resnet8", **changes):
    fields = {
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
    return ModelCard.model_validate(fields | changes)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_network_comes_back_from_its_state(architecture):
    torch.manual_seed(1)
    network = TopazNetwork(architecture, 2).eval()
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 1.0)  # running statistics too
    again = restore(partial(TopazNetwork, architecture, 2), network.state_dict(), "it")
    image = torch.randn(1, 1, 95, 97)
    assert not again.training
    with torch.inference_mode():
        assert torch.equal(network(image), again(image))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("classifier.bias"), "it: the state lacks tensor 'classifier.bias'"),
        (lambda s: s.update(stranger=torch.zeros(1)), "it: .*unknown tensor 'stranger'"),
        (lambda s: s.update({"classifier.bias": torch.zeros(2)}), r"it: classifier.bias is .*2.*expected.*1"),
        (
            lambda s: s.update({"classifier.bias": torch.zeros(1).double()}),
            "it: classifier.bias is .*float64",
        ),
        (lambda s: s.update({"classifier.bias": torch.full((1,), torch.nan)}), "it: classifier.bias .*NaN"),
        (lambda s: s.clear(), "it: the state lacks tensor"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(change, message):
    state = tiny().state_dict()
    change(state)
    with pytest.raises(ModelError, match=message):
        restore(tiny, state, "it")


def test_a_state_is_refused_before_its_network_is_allocated():
    def vast():
        return nn.Linear(10**9, 10**9)

    with pytest.raises(ModelError, match=r"vast: .*1000000000"):
        restore(vast, {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}, "vast")


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_saved_model_picks_the_same(tmp_path, architecture):
    torch.manual_seed(0)
    network = build_network(card_of(tiny(), architecture))
    card = card_of(network, architecture)
    save_model(tmp_path / "m.safetensors", network.state_dict(), card)
    loaded = load_network_picker(tmp_path / "m.safetensors", particle_px=None, device="cpu")
    direct = make_picker(network, card)
    image = np.random.default_rng(0).normal(3, 2, (101, 110)).astype(np.float32)
    assert isinstance(loaded, TopazPicker)
    assert (loaded.name, loaded.particle_px) == ("tiny", 20.0)
    assert loaded.settings() == direct.settings()
    found, expected = loaded.pick(image), direct.pick(image)
    assert len(expected) > 1
    assert np.array_equal(found.score, expected.score)
    assert np.array_equal(found.x, expected.x)


def test_a_size_and_a_device_reach_the_picker(tmp_path):
    network = tiny()
    save_model(tmp_path / "m.safetensors", network.state_dict(), card_of(network))
    assert load_network_picker(tmp_path / "m.safetensors", particle_px=27, device="cpu").particle_px == 27
    with pytest.raises(UsageError, match="`device` nowhere"):
        load_network_picker(tmp_path / "m.safetensors", particle_px=None, device="nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "unet"},
            "architecture 'unet': there is no network 'unet'; expected one of .*topaz",
        ),
        ({"parameters": {}}, r"parameters \['units'\], the card \[\]"),
        ({"parameters": {"units": 2, "depth": 3}}, "depth"),
        ({"parameters": {"units": 3}}, r"m\.safetensors: .* expected"),
        ({"parameters": {"units": 0}}, "0 units"),
        ({"parameters": {"units": 10**9}}, "1000000000 units"),
        ({"architecture": "topaz-resnet16"}, r"m\.safetensors: "),
        ({"normalisation": "z-score"}, "z-score"),
    ],
)
def test_a_card_of_another_network_is_refused(tmp_path, changes, message):
    network = tiny()
    card = card_of(network, **{"architecture": "topaz-resnet8"} | changes)
    save_model(tmp_path / "m.safetensors", network.state_dict(), card)
    with pytest.raises(ModelError, match=message):
        load_network_picker(tmp_path / "m.safetensors", particle_px=None, device="cpu")
