"""Recipes by network name: their options, checked, and the recipe made with them."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, cast, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.record import imported
from cryopick_ray.pickers.registry import LEARNING, find_network, find_training
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.recipes.particle_share import expected_pi
from cryopick_ray.training.recipes.recipe import Recipe, UnlabelledRecipe
from cryopick_ray.units import is_positive, resampled_shape, working_pixel_size_A

Value = bool | int | float | str

PARTICLE_PX = 4, 512
"""As ``particle_px`` of ``cryopick run``."""
EXPECTED = "expected_particles"
"""Option beside a share, for few labels: the number of particles in a micrograph, labelled or not."""


def recipe_options(network: str) -> dict[str, Value | None]:
    """Return the options of a network's recipe with their defaults.

    A default that follows from the data or from other options is ``None``.

    Raises
    ------
    UsageError
        If there is no such network to train.
    """
    training = find_training(network)
    options = {
        field.name: None if field.default is MISSING else field.default
        for field in fields(imported(training.recipe))
        if field.init
    }
    return options | ({EXPECTED: None} if training.share else {})


def make_recipe(network: str, options: Mapping[str, Value], rows: Sequence[LabelledRow]) -> Recipe:
    """Return the recipe with the options given.

    A share of particles, if it is needed and not given, follows from ``expected_particles`` in a
    micrograph, or else from the labels: then they should be complete.

    Raises
    ------
    UsageError
        If an option is unknown or its value wrong.
    """
    training = find_training(network)
    chosen = dict(options)
    expected = chosen.pop(EXPECTED, None) if training.share else None
    if expected is not None and (isinstance(expected, str | bool) or expected <= 0):
        raise UsageError(f"options.{EXPECTED} is {expected!r}; expected a number above 0")
    recipe_class = imported(training.recipe)
    chosen = _checked(network, recipe_class, chosen, also=[EXPECTED] if training.share else [])
    try:
        if training.share and training.share not in chosen:
            without = cast("UnlabelledRecipe", recipe_class(**{training.share: 0.5}, **chosen))
            chosen[training.share] = _prior(rows, expected, without.particle_px, without.radius_px)
        recipe: Recipe = recipe_class(**chosen)
        with torch.device("meta"):  # a network that cannot be built is refused before anything is done
            recipe.build()
    except ModelError as error:
        built_of = {"architecture", *find_network(network).parameters}
        values = [f"options.{name} is {value!r}" for name, value in chosen.items() if name in built_of]
        raise UsageError(f"{', '.join(values)}: {error}") from error
    if recipe.architecture.partition("-")[0] != network:
        raise UsageError(
            f"{training.recipe} teaches {recipe.architecture}; expected {network}, or {network}-..."
        )
    for name in ("particle_px", "batch", "learning_rate"):
        if not is_positive(value := getattr(recipe, name)):
            raise UsageError(f"{name} of {network} is {value}; expected a number above 0")
    low, high = PARTICLE_PX
    if not low <= recipe.particle_px <= high:
        raise UsageError(f"particle_px of {network} is {recipe.particle_px:g}; expected {low} to {high}")
    return recipe


def check_false(network: str, recipe: Recipe, setting: str) -> None:
    """Refuse known false picks for a recipe that has no use for them.

    Parameters
    ----------
    setting
        The setting that gives them, for the message.

    Raises
    ------
    UsageError
        If the recipe never draws a negative of its own.
    """
    training = find_training(network)
    if training.whole_image:
        trainings = {name: find_training(name) for name in LEARNING}
        alternatives = [
            name for name, record in trainings.items() if not (record.whole_image or record.share)
        ]
        raise UsageError(
            f"{setting}: {network} learns from every place of an image already, false picks or not; leave it "
            f"out, or train {' or '.join(alternatives)}"
        )
    if training.share and not cast("UnlabelledRecipe", recipe).draws_negatives:
        raise UsageError(
            f"{setting}: the objective {getattr(recipe, 'objective', '')} draws all places alike and knows "
            "no negatives; leave it out, or take options.objective=pn, cross-entropy or squared-error"
        )


def check_sparse(network: str, recipe: Recipe, options: Mapping[str, Value], setting: str) -> None:
    """Refuse to take the share of particles from labels of which some are left out.

    Parameters
    ----------
    options
        Options of the recipe.
    setting
        The setting that leaves labels out, for the message.

    Raises
    ------
    UsageError
        If the recipe needs that share and no option tells it.
    """
    share = find_training(network).share
    if share and cast("UnlabelledRecipe", recipe).needs_share and not options.keys() & {share, EXPECTED}:
        raise UsageError(
            f"{setting}: {network} must know how many particles there are, and few labels do not tell; give "
            f"options.{EXPECTED}, of a micrograph, or options.{share}, their share of the pixels"
        )


def _checked(
    network: str, recipe_class: type[Any], options: dict[str, Value], *, also: list[str]
) -> dict[str, Value]:
    """Return the options, converted to the types of the recipe's fields."""
    hints = get_type_hints(recipe_class)
    field_names = {field.name for field in fields(recipe_class) if field.init}
    if unknown := sorted(options.keys() - field_names):
        allowed = ", ".join(sorted(field_names) + also)
        raise UsageError(f"{unknown[0]} is not an option of {network}; expected one of {allowed}")
    chosen = {}
    for name, value in options.items():
        try:
            chosen[name] = TypeAdapter(hints[name], config=ConfigDict(strict=False)).validate_python(value)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise UsageError(f"options.{name} of {network} is {value!r}: {message}") from error
    return chosen


def _prior(
    rows: Sequence[LabelledRow], expected: Value | None, particle_px: float, radius_px: float
) -> float:
    """Return the share of pixels near a particle's centre, in the mean over the micrographs."""
    particles, pixels = 0.0, 0.0
    for row in rows:
        pixel_size_A = working_pixel_size_A(row.diameter_A, particle_px)
        height, width = resampled_shape(row.row.source_shape, row.row.pixel_size_A, pixel_size_A)
        particles += len(row.particles) if expected is None else float(expected)
        pixels += height * width
    return expected_pi(particles, pixels, radius_px=radius_px)
