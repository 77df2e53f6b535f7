"""Which lesson a network's name stands for, how long it lasts, and what can be set of it."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib import import_module
from typing import Any, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.families import FAMILIES
from cryopick_ray.training.dataset import LabelledRow
from cryopick_ray.training.lesson import Lesson
from cryopick_ray.training.objectives import NEED_PI
from cryopick_ray.training.prior import expected_pi
from cryopick_ray.units import is_positive, resampled_shape, working_pixel_size_A

Value = bool | int | float | str


@dataclass(frozen=True)
class Entry:
    """A lesson and how long it lasts unless the settings say otherwise: far shorter than in the papers.

    Attributes
    ----------
    lesson
        ``module:Class`` below this package, imported when needed.
    epochs, steps
        Epochs, and batches of each.
    """

    lesson: str
    epochs: int
    steps: int

    def load(self) -> type[Any]:
        """Return the lesson's class."""
        module, _, name = self.lesson.partition(":")
        found: type[Any] = getattr(import_module(f"{__package__}.{module}"), name)
        return found


LESSONS = {
    "heatmap": Entry("heatmap:HeatmapLesson", epochs=16, steps=50),
    "cryolo": Entry("cryolo:CryoloLesson", epochs=20, steps=50),
    "topaz": Entry("topaz:TopazLesson", epochs=10, steps=100),
    "deeppicker": Entry("deeppicker:DeepPickerLesson", epochs=20, steps=50),
    "deepem": Entry("deepem:DeepEMLesson", epochs=20, steps=75),
}
PARTICLE_PX = 4, 512
"""As ``particle_px`` of ``cryopick run``."""
SPARSE = "expected_particles"
"""Topaz's option for few labels: how many particles a micrograph holds, labelled or not."""
BUILT_OF = frozenset({"architecture"}).union(*(family.parameters for family in FAMILIES.values()))
"""Options that decide whether a network can be built."""
WHOLE_IMAGE = ("heatmap", "cryolo")
"""Networks that are shown all of an image at once."""


def lesson_options(network: str) -> dict[str, Value | None]:
    """Return what can be set of a network's lesson, with its defaults.

    ``None`` is what follows from the data or from other options.

    Raises
    ------
    UsageError
        If there is no such network.
    """
    if network not in LESSONS:
        raise UsageError(f"there is no network {network!r} to train; expected one of {', '.join(LESSONS)}")
    found = {
        field.name: None if field.default is MISSING else field.default
        for field in fields(LESSONS[network].load())
        if field.init
    }
    return found | ({SPARSE: None} if network == "topaz" else {})


def make_lesson(network: str, given: Mapping[str, Value], rows: Sequence[LabelledRow]) -> Lesson:
    """Return the lesson with the options given.

    Topaz's ``pi``, if it is not given, follows from ``expected_particles`` in a micrograph, or else
    from the labels: then they should be complete.

    Raises
    ------
    UsageError
        If an option is unknown or its value wrong.
    """
    kind = LESSONS[network].load()
    chosen = dict(given)
    expected = chosen.pop(SPARSE, None) if network == "topaz" else None
    if expected is not None and (isinstance(expected, str | bool) or expected <= 0):
        raise UsageError(f"options.{SPARSE} is {expected!r}; expected a number above 0")
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind) if field.init}
    if unknown := sorted(chosen.keys() - known):
        also = [SPARSE] if network == "topaz" else []
        raise UsageError(
            f"{unknown[0]} is not an option of {network}; expected one of {', '.join(sorted(known) + also)}"
        )
    for name, value in chosen.items():
        try:
            chosen[name] = TypeAdapter(hints[name], config=ConfigDict(strict=False)).validate_python(value)
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise UsageError(f"options.{name} of {network} is {value!r}: {what}") from error
    try:
        if network == "topaz" and "pi" not in chosen:
            without = kind(pi=0.5, **chosen)
            chosen["pi"] = _prior(rows, expected, without.particle_px, without.radius_px)
        lesson: Lesson = kind(**chosen)
        with torch.device("meta"):  # a network that cannot be built is refused before anything is done
            lesson.build()
    except ModelError as error:
        said = [f"options.{name} is {value!r}" for name, value in chosen.items() if name in BUILT_OF]
        raise UsageError(f"{', '.join(said)}: {error}") from error
    for name in ("particle_px", "batch", "learning_rate"):
        if not is_positive(value := getattr(lesson, name)):
            raise UsageError(f"{name} of {network} is {value}; expected a number above 0")
    low, high = PARTICLE_PX
    if not low <= lesson.particle_px <= high:
        raise UsageError(f"particle_px of {network} is {lesson.particle_px:g}; expected {low} to {high}")
    return lesson


def check_false(network: str, lesson: Lesson, asked: str) -> None:
    """Refuse known false picks where they teach nothing.

    Parameters
    ----------
    asked
        The setting that brings them.

    Raises
    ------
    UsageError
        If the lesson never draws a negative of its own.
    """
    if network in WHOLE_IMAGE:
        raise UsageError(
            f"{asked}: {network} learns from every place of an image already, false picks or not; leave it "
            "out, or train deepem or deeppicker"
        )
    from cryopick_ray.training.lessons.topaz import POSITIVE_UNLABELLED

    if (objective := getattr(lesson, "objective", None)) in POSITIVE_UNLABELLED:
        raise UsageError(
            f"{asked}: the objective {objective} draws all places alike and knows no negatives; leave it "
            "out, or take options.objective=pn, cross-entropy or squared-error"
        )


def check_sparse(lesson: Lesson, given: Mapping[str, Value], asked: str) -> None:
    """Refuse to take the share of particles from labels of which some are left out.

    Parameters
    ----------
    given
        Options of the lesson.
    asked
        The setting that leaves labels out.

    Raises
    ------
    UsageError
        If the lesson needs that share and no option tells it.
    """
    if (objective := getattr(lesson, "objective", None)) in NEED_PI and not given.keys() & {"pi", SPARSE}:
        raise UsageError(
            f"{asked}: the objective {objective} must know how many particles there are, and few labels do "
            f"not tell; give options.{SPARSE}, of a micrograph, or options.pi, their share of the pixels"
        )


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
