"""The data sets of a suite: micrographs with labels or without, in parts, noisier, simulated over a grid."""

from itertools import product
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from cryopick_ray.settings.base import Positive, Settings
from cryopick_ray.settings.config import assigned
from cryopick_ray.settings.run_settings import Invert
from cryopick_ray.simulate.library import molecule_name
from cryopick_ray.suite.bins import Bins
from cryopick_ray.training.training_settings import NAME, SimulatedData


class MicrographSet(Settings):
    """Real micrographs without labels: without a single particle, or with some that nobody labelled.

    Attributes
    ----------
    name
        In tables and folders.
    micrographs
        Folders, files, globs or lists, as ``cryopick run`` takes them.
    diameter_A, pixel_size_A, invert
        As for ``cryopick run``; by default particles are dark.
    exclude
        Globs of micrographs that are not used at all.
    molecule
        Name of the built-in molecule that is searched for: templates are made of it.
    """

    name: Annotated[str, Field(pattern=NAME)]
    micrographs: Annotated[tuple[str, ...], Field(min_length=1)]
    diameter_A: Positive
    pixel_size_A: Positive | None = None
    invert: Invert = "no"
    exclude: tuple[str, ...] = ()
    molecule: str | None = None

    @model_validator(mode="after")
    def _is_a_molecule(self) -> Self:
        if self.molecule is not None:
            molecule_name(self.molecule)  # which refuses one that is not there
        return self


class LabelledSet(MicrographSet):
    """Micrographs of one molecule with its true particles.

    Attributes
    ----------
    labels
        Folder of ``.star`` or ``.box`` files named after the micrographs, or one STAR file of all.
    radius_A
        A pick this near finds a particle; ``None`` for half a diameter.
    molecule
        Name of the built-in molecule that it is: models that have seen that one are marked, too.
    diameters_off
        The set is picked again with a diameter that is so many times the true one.
    noise
        The set is picked again with white noise of so many standard deviations of each image added:
        1.41 leaves the signal a third of the variance that it had.
    bins
        Lines of the table for parts of the set.
    labelled_by
        Who made the labels, where they are no truth: "a picker".
    annotators
        Labels of others by their names: their agreement with these is shown beside the models.

    The others are those of :class:`MicrographSet`.
    """

    labels: Path
    radius_A: Positive | None = None
    diameters_off: tuple[Positive, ...] = ()
    noise: tuple[Positive, ...] = ()
    bins: Bins | None = None
    labelled_by: str = ""
    annotators: dict[str, Path] = Field(default_factory=dict)

    def noisy(self, factor: float) -> str:
        """Return the name of the set with noise added, for folders."""
        return f"{self.name}-noise-{factor:g}"

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in ("diameters_off", "noise"):
            factors = getattr(self, name)
            if len(set(factors)) < len(factors):
                raise ValueError(f"{name} of {self.name} lists one factor twice; leave it out once")
        return self


class SweptData(SimulatedData):
    """Molecules to simulate, at each point of a grid of settings.

    Attributes
    ----------
    sweep
        Values of settings by their full names, ``{scene.packing: [0.1, 0.5]}``: every combination is a
        group of its own, called after it.

    The others are those of :class:`~cryopick_ray.training.training_settings.SimulatedData`.
    """

    sweep: dict[str, Annotated[tuple[float, ...], Field(min_length=1)]] = Field(default_factory=dict)

    def points(self) -> tuple[SimulatedData, ...]:
        """Return a group for each combination of the values; itself without any."""
        fields = {name: getattr(self, name) for name in SimulatedData.model_fields}
        return tuple(
            SimulatedData(
                **fields
                | {"name": "-".join([*filter(None, [self.name]), *map(_called, point.items())]) or None}
                | {"settings": assigned(self.settings, [f"{key}={x!r}" for key, x in point.items()])}
            )
            for point in (
                dict(zip(self.sweep, values, strict=True)) for values in product(*self.sweep.values())
            )
        )


def _called(item: tuple[str, float]) -> str:
    name, value = item
    return f"{name.rpartition('.')[2]}-{value:g}"
