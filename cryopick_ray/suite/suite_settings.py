"""Settings of ``cryopick evaluate --suite``."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from cryopick_ray.errors import brief, few
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.config import checked
from cryopick_ray.simulate.library import molecule_name
from cryopick_ray.suite.sets import LabelledSet, MicrographSet, SweptData
from cryopick_ray.training.training_settings import NAME, SimulatedData


class ModelGroup(Settings):
    """A model, or several trainings of one that differ by their seed alone.

    A name or a file by itself stands for a group of one.

    Attributes
    ----------
    name
        In the table.
    seeds
        Names of shipped models, or weights files; ``template`` for templates of each set's own molecule.
    after
        Name of the model before self-training: its gains are shown.
    only
        Data sets that it picks; all, if none is named.
    """

    name: Annotated[str, Field(min_length=1)]
    seeds: Annotated[tuple[str, ...], Field(min_length=1)]
    after: str | None = None
    only: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_group(cls, value: Any) -> Any:
        return {"name": Path(value).stem, "seeds": (value,)} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _each_seed_once(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds of {self.name} list one model twice; leave it out once")
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
        Models to compare.
    data
        Real micrographs with labels.
    simulated
        Groups of molecules to simulate: each molecule is a data set, and each group has a mean.
    unlabelled
        Real micrographs with particles that nobody labelled: picks there are counted, not judged.
    empty
        Micrographs without particles; simulated ones are made with ``scene.empty_probability`` 1.
    """

    models: Annotated[tuple[ModelGroup, ...], Field(min_length=1)]
    data: tuple[LabelledSet, ...] = ()
    simulated: tuple[SweptData, ...] = ()
    unlabelled: tuple[MicrographSet, ...] = ()
    empty: tuple[EmptySet, ...] = ()

    @model_validator(mode="after")
    def _models_name_what_is_there(self) -> Self:
        models, sets = [model.name for model in self.models], self.set_names()
        for model in self.models:
            if model.after is not None and model.after not in {*models} - {model.name}:
                raise ValueError(
                    f"after of {model.name} is {brief(model.after)}; expected another model: {few(models)}"
                )
            if unknown := [name for name in model.only if name not in sets]:
                raise ValueError(
                    f"only of {model.name} has {brief(unknown[0])}; expected data sets: {few(sets)}"
                )
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        if not self.sets():
            raise ValueError("nothing to pick: give data, simulated, unlabelled or empty")
        for kind, names in (
            ("models", [model.name for model in self.models]),
            ("models or annotators", [*{model.name for model in self.models}, *self._annotators()]),
            ("data sets", self.set_names()),
            ("lines of the table", self._lines()),
            ("groups of molecules", [title(group) for group in self.groups() if len(group.molecules) > 1]),
        ):
            if twice := sorted(name for name in set(names) if names.count(name) > 1):
                raise ValueError(f"two {kind} are called {brief(twice[0])}; give each a name of its own")
        if unfit := [name for name in self.set_names() if not re.fullmatch(NAME, name)]:
            raise ValueError(
                f"a data set is called {brief(unfit[0])}, which can name no folder; expected up to 100 of "
                "the letters, digits and ._- ; rename the molecule's file or the group"
            )
        return self

    def sets(self) -> tuple[MicrographSet | SimulatedData, ...]:
        """Return all data sets, in the order of the table."""
        return (*self.data, *self.groups(), *self.unlabelled, *self.empty)

    def groups(self) -> tuple[SimulatedData, ...]:
        """Return the groups of molecules, each point of a sweep a group of its own."""
        return tuple(point for swept in self.simulated for point in swept.points())

    def set_names(self) -> list[str]:
        """Return the names of all data sets, one for each simulated molecule."""
        noisy = [data_set.noisy(factor) for data_set in self.data for factor in data_set.noise]
        return [*(name for data_set in self.sets() for name in _names(data_set)), *noisy]

    def _annotators(self) -> list[str]:
        return list(dict.fromkeys(name for data_set in self.data for name in data_set.annotators))

    def _lines(self) -> list[str]:
        """Return the names of all lines of the table."""
        return [
            *(name for data_set in self.sets()[: -len(self.empty) or None] for name in _names(data_set)),
            *(name for data_set in self.empty for name in _empty_lines(data_set)),
        ]


def title(group: SimulatedData) -> str:
    """Return the name of the mean of a group of simulated molecules in the table."""
    return f"{group.name or 'simulated'}, mean of {len(group.molecules)} molecules"


def _names(data_set: MicrographSet | SimulatedData) -> list[str]:
    if isinstance(data_set, SimulatedData):
        return [data_set.called(molecule_name(molecule)) for molecule in data_set.molecules]
    return [data_set.name]


def _empty_lines(data_set: MicrographSet | SimulatedData) -> list[str]:
    """Return the names of micrographs without particles in the table: the group's for a single molecule."""
    alone = isinstance(data_set, SimulatedData) and len(data_set.molecules) == 1
    return [data_set.name] if alone and data_set.name is not None else _names(data_set)


MAY_CHANGE = {
    *("labels", "labelled_by", "annotators", "radius_A", "molecule", "diameters_off", "bins", "noise"),
    "molecules",
}
"""Settings of a data set that do not affect picks that are there."""


def suite_settings(data: dict[str, Any]) -> SuiteSettings:
    """Check plain data, or raise :class:`UsageError` naming every wrong value."""
    return checked(SuiteSettings, data, of="suite")


def changed_sets(old: SuiteSettings, new: SuiteSettings) -> list[str]:
    """Return the changes of data sets from ``old`` to ``new``, as ``set.name: old -> new`` lines.

    Models and data sets may come and go; which micrographs a name stands for may not change.
    """
    before = {name: data_set.model_dump(mode="json") for data_set in old.sets() for name in _names(data_set)}
    after = {name: data_set.model_dump(mode="json") for data_set in new.sets() for name in _names(data_set)}
    return [
        f"{name}.{key}: {before[name].get(key)} -> {after[name].get(key)}"
        for name in after
        if name in before
        for key in after[name] | before[name]
        if key not in MAY_CHANGE and before[name].get(key) != after[name].get(key)
    ]
