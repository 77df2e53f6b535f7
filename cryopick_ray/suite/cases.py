"""Data sets of the settings -> what pickers are given, and what they are scored by."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.truth import Truth, read_truth
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.project import project_of
from cryopick_ray.settings.config import assigned
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.stages.ingest import probe
from cryopick_ray.suite.added_noise import noisy_copies
from cryopick_ray.suite.bins import BinnedPart, parts
from cryopick_ray.suite.sets import LabelledSet, MicrographSet
from cryopick_ray.suite.suite_settings import SuiteSettings, title
from cryopick_ray.training.data.prepare import simulate_molecule
from cryopick_ray.training.training_settings import SimulatedData


@dataclass(frozen=True)
class Case:
    """One line of the table for each model: micrographs, and the diameter that pickers are told.

    Attributes
    ----------
    name
        In the table.
    group
        Simulated molecules of one group are averaged; empty for others.
    settings
        The data set; several cases may be about one.
    sources
        Its micrographs, those without labels left out.
    truth
        Its particles; ``None`` where there are none to be found.
    told_A
        The diameter that pickers are told, in angstroms.
    is_empty
        Whether there are no particles; where there are some without truth, picks are only counted.
    parts
        Micrographs that have a line of the table of their own, too.
    annotators
        Labels of other people, by their names.
    """

    name: str
    group: str
    settings: MicrographSet
    sources: tuple[MicrographSource, ...]
    truth: Truth | None
    told_A: float
    is_empty: bool = False
    parts: tuple[BinnedPart, ...] = ()
    annotators: Mapping[str, Truth] = field(default_factory=dict)

    @property
    def radius_A(self) -> float:
        """How near a pick must be to a particle: by the true diameter, whatever pickers are told."""
        given = self.settings.radius_A if isinstance(self.settings, LabelledSet) else None
        return given or self.settings.diameter_A / 2

    @property
    def labelled_by(self) -> str:
        """Who made the labels, where they are no truth."""
        return self.settings.labelled_by if isinstance(self.settings, LabelledSet) else ""

    @property
    def molecule(self) -> str | None:
        """Name of the built-in molecule that the particles are, if it is known."""
        return self.sought if self.truth is not None else None

    @property
    def sought(self) -> str | None:
        """Name of the built-in molecule that pickers search for, found there or not."""
        return None if self.settings.molecule is None else load_molecule(self.settings.molecule).name

    def ingest(self, store_pixel_size_A: float | None) -> IngestSettings:
        """Return how the micrographs come into a store."""
        return IngestSettings(
            pixel_size_A=self.settings.pixel_size_A,
            diameter_A=self.settings.diameter_A,
            store_pixel_size_A=store_pixel_size_A,
        )


def prepare_cases(settings: SuiteSettings, folder: Path, engine: Engine, events: Events) -> list[Case]:
    """List real micrographs and their labels, and simulate what ``folder`` does not hold yet.

    Raises
    ------
    UsageError
        If micrographs, labels or molecules are wrong; the message names the data set.
    """
    cases = [case for one in settings.data for case in _real(one, folder / "noisy")]
    unlabelled = [case for one in settings.unlabelled for case in _listed(one, "")]
    empty = [
        replace(case, is_empty=True)
        for one in settings.empty
        if isinstance(one, MicrographSet)
        for case in _listed(one, "")
    ]
    folder /= "simulated"
    for group in settings.groups():
        for made in _simulated(group, folder, engine, events):
            cases += _listed(made, title(group) if len(group.molecules) > 1 else "")
    for nothing in settings.empty:
        if isinstance(nothing, SimulatedData):
            ice = {"settings": assigned(nothing.settings, ["scene.empty_probability=1"])}
            alone = nothing.name if len(nothing.molecules) == 1 else None
            for made in _simulated(nothing.model_copy(update=ice), folder, engine, events):
                empty += [
                    replace(case, name=alone or case.name, truth=None, is_empty=True)
                    for case in _listed(made, "")
                ]
    return cases + unlabelled + empty


def _real(one: LabelledSet, folder: Path) -> Iterator[Case]:
    """Yield a real data set, and the same with noise added: below ``folder``."""
    plain, *others = _listed(one, "")
    with _said_of(one.name):
        ids = [source.micrograph_id for source in plain.sources]
        yield replace(
            plain,
            parts=parts(one.bins, ids) if one.bins else (),
            annotators={name: read_truth(labels) for name, labels in one.annotators.items()},
        )
    yield from others
    for factor in one.noise:
        copies = folder / one.noisy(factor)
        with _said_of(one.name):
            noisy_copies(plain.sources, copies, factor)
        given = {"name": one.noisy(factor), "micrographs": (str(copies),), "exclude": (), "diameters_off": ()}
        (noisy,) = _listed(one.model_copy(update=given), "")
        yield replace(noisy, name=f"{one.name}, noise of {factor:g} sd")


def _simulated(group: SimulatedData, folder: Path, engine: Engine, events: Events) -> Iterator[LabelledSet]:
    """Yield the data set of each molecule; that particles are bright is for pickers to see."""
    for molecule in group.molecules:
        made = simulate_molecule(group, molecule, folder, engine, events)
        yield LabelledSet(
            name=made.name,
            micrographs=made.micrographs,
            labels=made.labels,
            diameter_A=made.diameter_A,
            invert="auto" if made.invert else "no",
            molecule=molecule,
        )


def _listed(one: MicrographSet, group: str) -> Iterator[Case]:
    """Yield a data set with the true diameter, then with each wrong one."""
    with _said_of(one.name):
        sources = _left(
            list_sources(one.micrographs, relion_project=project_of(one.micrographs)), one.exclude
        )
        truth = read_truth(one.labels) if isinstance(one, LabelledSet) else None
        if truth is not None:
            sources = [source for source in sources if truth.name_of(source.micrograph_id) is not None]
        if not sources:
            raise UsageError(
                "no micrograph is left; mend exclude, or labels, whose files are named after them"
            )
        case = Case(one.name, group, one, tuple(sources), truth, one.diameter_A)
        probe(sources, case.ingest(None))
    yield case
    for factor in one.diameters_off if isinstance(one, LabelledSet) else ():
        yield replace(case, name=f"{one.name}, diameter x {factor:g}", told_A=factor * one.diameter_A)


def _left(sources: Iterable[MicrographSource], exclude: tuple[str, ...]) -> list[MicrographSource]:
    return [
        source
        for source in sources
        if not any(fnmatchcase(source.micrograph_id, pattern) for pattern in exclude)
    ]


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """Let what is wrong with a data set be said with its name."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
