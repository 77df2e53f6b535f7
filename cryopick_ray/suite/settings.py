"""What ``cryopick evaluate --suite`` is told."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from cryopick_ray.config import checked
from cryopick_ray.errors import brief
from cryopick_ray.settings import Invert, Positive, Settings
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.training.settings import NAME, SimulatedData


class ModelGroup(Settings):
    """A model, or several trainings of one that differ by their seed alone.

    A name or a file by itself stands for a group of one.

    Attributes
    ----------
    name
        In the table.
    seeds
        Names of shipped models, or weights files.
    """

    name: Annotated[str, Field(min_length=1)]
    seeds: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_group(cls, value: Any) -> Any:
        return {"name": Path(value).stem, "seeds": (value,)} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _each_seed_once(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds of {self.name} list one model twice; leave it out once")
        return self


class MicrographSet(Settings):
    """Real micrographs without a single particle: there every pick is a false one.

    Attributes
    ----------
    name
        In tables and folders.
    micrographs
        Folders, files, globs or lists, as ``cryopick run`` takes them.
    diameter_A, pixel_size_A, invert
        As for ``cryopick run``; nothing said, particles are dark.
    exclude
        Globs of micrographs that are not used at all.
    """

    name: Annotated[str, Field(pattern=NAME)]
    micrographs: Annotated[tuple[str, ...], Field(min_length=1)]
    diameter_A: Positive
    pixel_size_A: Positive | None = None
    invert: Invert = "no"
    exclude: tuple[str, ...] = ()


class LabelledSet(MicrographSet):
    """Micrographs of one molecule with its true particles.

    Attributes
    ----------
    labels
        Folder of ``.star`` or ``.box`` files named after the micrographs, or one STAR file of all.
    radius_A
        A pick this near finds a particle; ``None`` for half a diameter.
    molecule
        Name of the built-in molecule that it is: models that have seen that one are marked.
    diameters_off
        The set is picked again with a diameter that is so many times the true one.

    The others are those of :class:`MicrographSet`.
    """

    labels: Path
    radius_A: Positive | None = None
    molecule: str | None = None
    diameters_off: tuple[Positive, ...] = ()

    @model_validator(mode="after")
    def _is_a_molecule(self) -> Self:
        if self.molecule is not None:
            load_molecule(self.molecule)
        return self

    @model_validator(mode="after")
    def _each_diameter_once(self) -> Self:
        if len(set(self.diameters_off)) < len(self.diameters_off):
            raise ValueError(f"diameters_off of {self.name} lists one factor twice; leave it out once")
        return self


def _kind(value: Any) -> str:
    simulated = isinstance(value, SimulatedData) or (isinstance(value, dict) and "molecules" in value)
    return "simulated" if simulated else "real"


EmptySet = Annotated[
    Annotated[MicrographSet, Tag("real")] | Annotated[SimulatedData, Tag("simulated")], Discriminator(_kind)
]


class SuiteSettings(Settings):
    """Everything that a comparison of models needs; paths are relative to the working folder.

    Attributes
    ----------
    models
        What is compared.
    data
        Real micrographs with labels.
    simulated
        Groups of molecules to simulate: each molecule is a data set, and each group has a mean.
    empty
        Micrographs without particles; simulated ones are made with ``scene.empty_probability`` 1.
    """

    models: Annotated[tuple[ModelGroup, ...], Field(min_length=1)]
    data: tuple[LabelledSet, ...] = ()
    simulated: tuple[SimulatedData, ...] = ()
    empty: tuple[EmptySet, ...] = ()

    @model_validator(mode="after")
    def _names_are_told_apart(self) -> Self:
        if not self.sets():
            raise ValueError("nothing to pick: give data, simulated or empty")
        for what, names in (
            ("models", [one.name for one in self.models]),
            ("data sets", self.set_names()),
            ("lines of the table", self._lines()),
            ("groups of molecules", [title(one) for one in self.simulated if len(one.molecules) > 1]),
        ):
            if twice := sorted(name for name in set(names) if names.count(name) > 1):
                raise ValueError(f"two {what} are called {brief(twice[0])}; give each a name of its own")
        if unfit := [name for name in self.set_names() if not re.fullmatch(NAME, name)]:
            raise ValueError(
                f"a data set is called {brief(unfit[0])}, which can name no folder; expected up to 100 of "
                "the letters, digits and ._- ; rename the molecule's file or the group"
            )
        return self

    def sets(self) -> tuple[MicrographSet | SimulatedData, ...]:
        """Return all data sets, in the order of the table."""
        return (*self.data, *self.simulated, *self.empty)

    def set_names(self) -> list[str]:
        """Return the names of all data sets, one for each simulated molecule."""
        return [name for one in self.sets() for name in _names(one)]

    def _lines(self) -> list[str]:
        """Return what the table calls all data sets."""
        labelled: tuple[MicrographSet | SimulatedData, ...] = (*self.data, *self.simulated)
        return [
            *(name for one in labelled for name in _names(one)),
            *(name for one in self.empty for name in _empty_lines(one)),
        ]


def title(group: SimulatedData) -> str:
    """Return what the table calls the mean of a group of simulated molecules."""
    return f"{group.name or 'simulated'}, mean of {len(group.molecules)} molecules"


def _names(one: MicrographSet | SimulatedData) -> list[str]:
    if isinstance(one, SimulatedData):
        return [one.called(load_molecule(molecule).name) for molecule in one.molecules]
    return [one.name]


def _empty_lines(one: MicrographSet | SimulatedData) -> list[str]:
    """Return what the table calls micrographs without particles: a molecule alone is not worth naming."""
    alone = isinstance(one, SimulatedData) and len(one.molecules) == 1
    return [one.name] if alone and one.name is not None else _names(one)


MAY_CHANGE = {"labels", "radius_A", "molecule", "diameters_off", "molecules"}
"""Settings of a data set that decide no pick of it that is there."""


def suite_settings(data: dict[str, Any]) -> SuiteSettings:
    """Check plain data, or raise :class:`UsageError` naming every wrong value."""
    return checked(SuiteSettings, data, of="suite")


def changed_sets(old: SuiteSettings, new: SuiteSettings) -> list[str]:
    """Return what ``new`` would change of the data sets of ``old``, as ``set.name: old -> new`` lines.

    Models and data sets may come and go; which micrographs a name stands for may not change.
    """
    before = {name: one.model_dump(mode="json") for one in old.sets() for name in _names(one)}
    after = {name: one.model_dump(mode="json") for one in new.sets() for name in _names(one)}
    return [
        f"{name}.{key}: {before[name].get(key)} -> {after[name].get(key)}"
        for name in after
        if name in before
        for key in after[name] | before[name]
        if key not in MAY_CHANGE and before[name].get(key) != after[name].get(key)
    ]
