import pytest
import torch

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.families import build_network, make_picker
from cryopick_ray.pickers.registry import LEARNING
from cryopick_ray.pickers.weights import ModelCard
from cryopick_ray.training.recipes.recipe_catalogue import make_recipe

SMALL = {"heatmap": {"base": 2}, "cryolo": {"width": 2}, "topaz": {"units": 2, "pi": 0.1}}
every = pytest.mark.parametrize("name", LEARNING)


def card_of(name, **changes):
    recipe = make_recipe(name, SMALL.get(name, {}), [])
    card = {
        "name": "tiny",
        "architecture": recipe.architecture,
        "parameters": recipe.parameters,
        "particle_px": 20.0,
        "normalisation": recipe.normalisation,
        "threshold": 0.25,
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": 64 * "0",
    }
    return ModelCard.model_validate(card | changes)


@every
def test_a_picker_is_what_its_card_says(name):
    card = card_of(name)
    network = build_network(card).train()
    picker = make_picker(network, card)
    assert (picker.name, picker.threshold, picker.particle_px) == ("tiny", 0.25, 20)
    assert (picker.card, picker.network, picker.device) == (card, network, torch.device("cpu"))
    assert picker.wants_gpu
    assert not network.training
    kernels = [parameter for parameter in picker.ready.parameters() if parameter.ndim == 4]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    assert make_picker(network, card, particle_px=27).particle_px == 27


@every
def test_a_calibration_makes_scores_calibrated_and_decides_picks_and_its_absence_changes_no_digest(name):
    card, other = card_of(name), card_of(name, calibration=[1.0, 0.5])
    network = build_network(card)
    plain, calibrated = make_picker(network, card), make_picker(network, other)
    assert (plain.calibrated, calibrated.calibrated) == (False, True)
    assert calibrated.settings() == {**plain.settings(), "calibration": [1.0, 0.5]}
    assert ModelCard.model_validate_json(other.model_dump_json()) == other


@every
def test_what_cannot_be_is_refused(name):
    card = card_of(name)
    network = build_network(card)
    with pytest.raises(ModelError, match=f"normalisation 'other'; expected '{card.normalisation}'"):
        make_picker(network, card_of(name, normalisation="other"))
    for size in (0.0, -3.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="`particle_px`"):
            make_picker(network, card, particle_px=size)
    with pytest.raises(UsageError, match="`device` nowhere"):
        make_picker(network, card, device="nowhere")
