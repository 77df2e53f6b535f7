import numpy as np
import pytest
import torch
from labelled_sources import labelled_row, manifest_row

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.families import build_network, make_picker
from cryopick_ray.pickers.registry import LEARNING
from cryopick_ray.pickers.weights import ModelCard, weights_digest
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.recipes.objectives import OBJECTIVES
from cryopick_ray.training.recipes.particle_share import disc_pixels
from cryopick_ray.training.recipes.recipe import Slot
from cryopick_ray.training.recipes.recipe_catalogue import (
    check_false,
    check_sparse,
    make_recipe,
    recipe_options,
)
from cryopick_ray.training.train_model import recipe_for
from cryopick_ray.training.training_settings import learn_settings

SMALL = {
    "heatmap": {"base": 2},
    "filament": {"base": 2},
    "cryolo": {"width": 2},
    "topaz": {"units": 2, "pi": 0.1},
    "deeppicker": {"hidden": 8},
    "deepem": {},
}
ROW = labelled_row("a.mrc", count=30, row=manifest_row("a.mrc", (1000, 1200)))


def small(network):
    return make_recipe(network, SMALL[network], [])


def card_of(recipe, state):
    return ModelCard(
        name="m",
        architecture=recipe.architecture,
        parameters=recipe.parameters,
        particle_px=recipe.particle_px,
        normalisation=recipe.normalisation,
        trained_on="",
        licence="",
        source="",
        digest=weights_digest(state),
    )


def test_there_is_a_small_recipe_of_every_network():
    assert SMALL.keys() == set(LEARNING)


@pytest.mark.parametrize("network", LEARNING)
def test_a_trained_model_opens_as_what_it_was_taught_to_be(network):
    recipe = small(network)
    built = recipe.build()
    card = card_of(recipe, built.state_dict())
    again = build_network(card)
    assert type(again) is type(built)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in built.state_dict().items()
    }
    assert make_picker(again, card).particle_px == recipe.particle_px


@pytest.mark.parametrize("network", LEARNING)
def test_a_recipe_that_goes_on_takes_the_network_of_its_model(network):
    recipe = small(network)
    card = card_of(recipe, recipe.build().state_dict()).model_copy(
        update={"particle_px": recipe.particle_px + 1}
    )
    options = {"pi": 0.1} if network == "topaz" else {}
    settings = learn_settings({"network": network, "options": options, "batch": 3, "learning_rate": 0.5})
    going_on = recipe_for(settings, [ROW], card)
    assert (going_on.architecture, going_on.parameters) == (recipe.architecture, recipe.parameters)
    assert going_on.particle_px == recipe.particle_px + 1
    assert (going_on.batch, going_on.learning_rate) == (3, 0.5)


def test_a_model_of_another_network_cannot_go_on():
    recipe = small("heatmap")
    card = card_of(recipe, recipe.build().state_dict())
    with pytest.raises(UsageError):
        recipe_for(learn_settings({"network": "deeppicker"}), [ROW], card)
    with pytest.raises(UsageError, match="start is a model of heatmap"):
        recipe_for(learn_settings({"network": "heatmap", "options": {"base": 4}}), [ROW], card)


@pytest.mark.parametrize("network", LEARNING)
def test_options_are_listed_with_defaults_that_are_accepted(network):
    listed = recipe_options(network)
    known = {name: value for name, value in listed.items() if value is not None}
    recipe = make_recipe(network, known | SMALL[network], [])
    for name in known.keys() - SMALL[network].keys():
        assert getattr(recipe, name) == known[name]


def test_options_of_no_network():
    with pytest.raises(UsageError, match="no network 'unet' to train"):
        recipe_options("unet")


@pytest.mark.parametrize(("options", "own_greys"), [({}, False), ({"own_greys": True}, True)])
def test_grey_values_are_not_changed_twice_unless_asked(options, own_greys):
    given = {"network": "cryolo", "options": options}
    assert recipe_for(learn_settings({**given, "general": True}), [], None).own_greys == own_greys
    assert recipe_for(learn_settings(given), [], None).own_greys


@pytest.mark.parametrize("network", LEARNING)
def test_an_unknown_option_is_named_with_those_there_are(network):
    with pytest.raises(UsageError, match=f"colour is not an option of {network}; .*particle_px"):
        make_recipe(network, SMALL[network] | {"colour": 1}, [ROW])


@pytest.mark.parametrize(
    ("network", "given"),
    [
        ("heatmap", {"base": "many"}),
        ("heatmap", {"base": 24.5}),
        ("heatmap", {"base": 0}),
        ("heatmap", {"crop_px": 100}),
        ("heatmap", {"crop_px": 0}),
        ("heatmap", {"scale_jitter": 0.9}),
        ("heatmap", {"scale_jitter": float("nan")}),
        *((network, {"particle_px": bad}) for network in LEARNING for bad in (0, -3.0, float("nan"), "big")),
        *((network, {"batch": 0}) for network in LEARNING),
        *((network, {"learning_rate": -1.0}) for network in LEARNING),
        *((network, {"architecture": "resnet50"}) for network in ("topaz", "cryolo", "deepem")),
        ("topaz", {"objective": "guess"}),
        ("topaz", {"pi": 1.5}),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_once(network, given):
    with pytest.raises(UsageError) as caught:
        make_recipe(network, SMALL[network] | given, [ROW])
    name, value = next(iter(given.items()))
    assert str(value) in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("network", "name", "value"),
    [
        ("heatmap", "base", 0),
        ("cryolo", "width", -1),
        ("topaz", "units", 0),
        ("deeppicker", "hidden", 0),
        ("deepem", "box_px", 0),
        ("deepem", "relu", 2),
        ("deepem", "architecture", "deepem-19s"),
    ],
)
def test_a_network_that_cannot_be_built_names_the_option(network, name, value):
    with pytest.raises(UsageError, match=rf"options\.{name} is {value!r}.*: .*expected"):
        make_recipe(network, SMALL[network] | {name: value}, [ROW])


def test_the_particle_of_deepem_follows_its_box():
    given = {"architecture": "deepem-19s", "box_px": 160}
    assert recipe_options("deepem")["particle_px"] is None
    assert make_recipe("deepem", given, []).particle_px == pytest.approx(160 / 1.5)
    assert make_recipe("deepem", {"box_px": 48, "particle_px": 32}, []).particle_px == 32
    with pytest.raises(UsageError, match="particle_px of deepem is 0"):
        make_recipe("deepem", {"particle_px": 0}, [])


def test_numbers_written_as_text_are_numbers():
    recipe = make_recipe("heatmap", {"base": "8", "scale_jitter": 1}, [])
    assert (recipe.base, recipe.scale_jitter) == (8, 1.0)
    assert isinstance(recipe.scale_jitter, float)


def prior(rows, **given):
    return make_recipe("topaz", {"units": 2, "particle_px": 10, "radius_px": 2} | given, rows).pi


def test_topaz_takes_its_prior_from_the_labels_or_what_is_expected():
    """40 A at 2 A a pixel are shown as 10 px: half the pixels each way."""
    pixels = 500 * 600
    empty = labelled_row("b.mrc", count=0, row=manifest_row("b.mrc", (1000, 1200)))
    assert prior([ROW]) == pytest.approx(30 * disc_pixels(2) / pixels)
    assert prior([ROW, empty]) == pytest.approx(15 * disc_pixels(2) / pixels)
    assert prior([ROW, empty], expected_particles=200) == pytest.approx(200 * disc_pixels(2) / pixels)
    assert prior([ROW], pi=0.25) == 0.25


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_few_labels_need_a_prior_where_it_counts(objective):
    given = {"objective": objective, "pi": 0.1}
    recipe = make_recipe("topaz", given, [])
    if objective in ("cross-entropy", "squared-error"):
        check_sparse("topaz", recipe, {}, "labels_used is 8")
    else:
        with pytest.raises(UsageError, match=r"labels_used is 8: .*options\.expected_particles.*options\.pi"):
            check_sparse("topaz", recipe, {}, "labels_used is 8")
    for told in ({"pi": 0.1}, {"expected_particles": 60}):
        check_sparse("topaz", recipe, told, "labels_used is 8")
    check_sparse("deepem", small("deepem"), {}, "labels_used is 8")


@pytest.mark.parametrize(
    ("network", "given"),
    [(network, SMALL[network]) for network in LEARNING if network != "topaz"]
    + [("topaz", SMALL["topaz"] | {"objective": objective}) for objective in OBJECTIVES],
)
def test_false_picks_are_refused_where_no_example_shows_them(network, given):
    """The false pick is the one bright pixel: a recipe that uses it shows it in the middle."""
    recipe, rng = make_recipe(network, given, []), np.random.default_rng(0)
    image = np.zeros((640, 640), np.float32)
    image[320, 320] = 1
    labelled = LabelledMicrograph("m", "d", image, np.float32([[100, 100]]), np.float32([[320, 320]]))
    images = [recipe.example(labelled, Slot(index, 24), rng).image for index in range(24)]
    away = [
        np.unravel_index(image.argmax(), image.shape) - (np.array(image.shape) - 1) / 2 for image in images
    ]
    if (np.abs(away).max(axis=1) <= 1).sum() > 2:
        check_false(network, recipe, "rounds is 2")
    else:
        with pytest.raises(UsageError, match=r"rounds is 2: .*(pn, cross-entropy|deeppicker or deepem)"):
            check_false(network, recipe, "rounds is 2")


@pytest.mark.parametrize(
    ("network", "words"), [("heatmap", "deepem"), ("cryolo", "deepem"), ("topaz", "=pn")]
)
def test_rounds_are_refused_where_they_teach_nothing(network, words):
    settings = learn_settings({"network": network, "rounds": 2, "options": SMALL[network]})
    with pytest.raises(UsageError, match=f"rounds is 2: .*{words}"):
        recipe_for(settings, [ROW], None)


@pytest.mark.parametrize("expected", [0, -4, "many", True])
def test_an_expectation_that_is_none_is_refused(expected):
    with pytest.raises(UsageError, match=r"options\.expected_particles is"):
        prior([ROW], expected_particles=expected)


@pytest.mark.parametrize("network", LEARNING)
def test_examples_fit_the_network_and_teach_it_something(network):
    recipe, rng = small(network), np.random.default_rng(0)
    noise = rng.normal(size=(600, 640)).astype(np.float32)
    labelled = LabelledMicrograph("m", "d", recipe.prepare(noise), np.float32([[300, 310], [100, 400]]))
    drawn = [recipe.example(labelled, Slot(index, 16), rng) for index in range(16)]
    images = torch.from_numpy(np.stack([one.image for one in drawn]))[:, None]
    targets = torch.from_numpy(np.stack([one.target for one in drawn]))
    built = recipe.build().train()
    count = 2 if network == "cryolo" else 16  # its crops are large
    loss = recipe.loss(built(images[:count]).float(), targets[:count], 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert loss.ndim == 0
    grads = [p.grad for p in built.parameters()]
    assert all(g is None or torch.isfinite(g).all() for g in grads)
    assert any(g is not None and g.abs().max() > 0 for g in grads)
    recipe.optimiser(built, recipe.learning_rate).step()
    factors = [recipe.rate(epoch, 10, [1.0] * int(epoch)) for epoch in np.linspace(0, 10, 21)]
    assert all(0 <= factor <= 1 for factor in factors)
