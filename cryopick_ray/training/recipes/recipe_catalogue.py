"""A network's name -> the recipe that teaches it, checked, and what can be set of it."""

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
"""Option for few labels beside a share: how many particles a micrograph holds, labelled or not."""


def recipe_options(network: str) -> dict[str, Value | None]:
    """Return what can be set of a network's recipe, with its defaults.

    ``None`` is what follows from the data or from other options.

    Raises
    ------
    UsageError
        If there is no such network to train.
    """
    how = find_training(network)
    found = {
        field.name: None if field.default is MISSING else field.default
        for field in fields(imported(how.recipe))
        if field.init
    }
    return found | ({EXPECTED: None} if how.share else {})


def make_recipe(network: str, given: Mapping[str, Value], rows: Sequence[LabelledRow]) -> Recipe:
    """Return the recipe with the options given.

    A share of particles, if it is needed and not given, follows from ``expected_particles`` in a
    micrograph, or else from the labels: then they should be complete.

    Raises
    ------
    UsageError
        If an option is unknown or its value wrong.
    """
    how = find_training(network)
    chosen = dict(given)
    expected = chosen.pop(EXPECTED, None) if how.share else None
    if expected is not None and (isinstance(expected, str | bool) or expected <= 0):
        raise UsageError(f"options.{EXPECTED} is {expected!r}; expected a number above 0")
    kind = imported(how.recipe)
    chosen = _checked(network, kind, chosen, also=[EXPECTED] if how.share else [])
    try:
        if how.share and how.share not in chosen:
            without = cast("UnlabelledRecipe", kind(**{how.share: 0.5}, **chosen))
            chosen[how.share] = _prior(rows, expected, without.particle_px, without.radius_px)
        recipe: Recipe = kind(**chosen)
        with torch.device("meta"):  # a network that cannot be built is refused before anything is done
            recipe.build()
    except ModelError as error:
        built_of = {"architecture", *find_network(network).parameters}
        said = [f"options.{name} is {value!r}" for name, value in chosen.items() if name in built_of]
        raise UsageError(f"{', '.join(said)}: {error}") from error
    if recipe.architecture.partition("-")[0] != network:
        raise UsageError(f"{how.recipe} teaches {recipe.architecture}; expected {network}, or {network}-...")
    for name in ("particle_px", "batch", "learning_rate"):
        if not is_positive(value := getattr(recipe, name)):
            raise UsageError(f"{name} of {network} is {value}; expected a number above 0")
    low, high = PARTICLE_PX
    if not low <= recipe.particle_px <= high:
        raise UsageError(f"particle_px of {network} is {recipe.particle_px:g}; expected {low} to {high}")
    return recipe


def check_false(network: str, recipe: Recipe, asked: str) -> None:
    """Refuse known false picks where they teach nothing.

    Parameters
    ----------
    asked
        The setting that brings them.

    Raises
    ------
    UsageError
        If the recipe never draws a negative of its own.
    """
    how = find_training(network)
    if how.whole_image:
        usual = {name: find_training(name) for name in LEARNING}
        others = [name for name, one in usual.items() if not (one.whole_image or one.share)]
        raise UsageError(
            f"{asked}: {network} learns from every place of an image already, false picks or not; leave it "
            f"out, or train {' or '.join(others)}"
        )
    if how.share and not cast("UnlabelledRecipe", recipe).draws_negatives:
        raise UsageError(
            f"{asked}: the objective {getattr(recipe, 'objective', '')} draws all places alike and knows no "
            "negatives; leave it out, or take options.objective=pn, cross-entropy or squared-error"
        )


def check_sparse(network: str, recipe: Recipe, given: Mapping[str, Value], asked: str) -> None:
    """Refuse to take the share of particles from labels of which some are left out.

    Parameters
    ----------
    given
        Options of the recipe.
    asked
        The setting that leaves labels out.

    Raises
    ------
    UsageError
        If the recipe needs that share and no option tells it.
    """
    share = find_training(network).share
    if share and cast("UnlabelledRecipe", recipe).needs_share and not given.keys() & {share, EXPECTED}:
        raise UsageError(
            f"{asked}: {network} must know how many particles there are, and few labels do not tell; give "
            f"options.{EXPECTED}, of a micrograph, or options.{share}, their share of the pixels"
        )


def _checked(network: str, kind: type[Any], given: dict[str, Value], *, also: list[str]) -> dict[str, Value]:
    """Return options of the types that the recipe's fields have."""
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind) if field.init}
    if unknown := sorted(given.keys() - known):
        allowed = ", ".join(sorted(known) + also)
        raise UsageError(f"{unknown[0]} is not an option of {network}; expected one of {allowed}")
    chosen = {}
    for name, value in given.items():
        try:
            chosen[name] = TypeAdapter(hints[name], config=ConfigDict(strict=False)).validate_python(value)
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise UsageError(f"options.{name} of {network} is {value!r}: {what}") from error
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
