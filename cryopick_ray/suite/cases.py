"""Cases of a suite: micrographs with the diameter that pickers are given, and their truth."""

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
from cryopick_ray.simulate.library import molecule_name
from cryopick_ray.stages.ingest import probe
from cryopick_ray.suite.added_noise import noisy_copies
from cryopick_ray.suite.bins import BinnedPart, parts
from cryopick_ray.suite.sets import LabelledSet, MicrographSet
from cryopick_ray.suite.suite_settings import SuiteSettings, title
from cryopick_ray.training.data.prepare import simulate_molecule
from cryopick_ray.training.training_settings import SimulatedData


@dataclass(frozen=True)
class Case:
    """A line of the table for each model: micrographs, and the diameter that pickers are given.

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
    stated_diameter_A
        The diameter that pickers are given, in angstroms.
    is_empty
        Whether there are no particles; where there are some without truth, picks are only counted.
    parts
        Parts with lines of their own in the table.
    annotators
        Labels of other people, by their names.
    """

    name: str
    group: str
    settings: MicrographSet
    sources: tuple[MicrographSource, ...]
    truth: Truth | None
    stated_diameter_A: float
    is_empty: bool = False
    parts: tuple[BinnedPart, ...] = ()
    annotators: Mapping[str, Truth] = field(default_factory=dict)

    @property
    def radius_A(self) -> float:
        """Matching radius: by the true diameter, whatever diameter pickers are given."""
        radius_A = self.settings.radius_A if isinstance(self.settings, LabelledSet) else None
        return radius_A or self.settings.diameter_A / 2

    @property
    def of_filaments(self) -> bool:
        """Whether what is to be found are filaments."""
        return self.truth is not None and self.truth.has_filaments

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
        """Name of the built-in molecule that pickers search for, whether it is there or not."""
        return None if self.settings.molecule is None else molecule_name(self.settings.molecule)

    def ingest(self, store_pixel_size_A: float | None) -> IngestSettings:
        """Return the settings to ingest the micrographs with."""
        return IngestSettings(
            pixel_size_A=self.settings.pixel_size_A,
            diameter_A=self.settings.diameter_A,
            store_pixel_size_A=store_pixel_size_A,
        )


def prepare_cases(settings: SuiteSettings, folder: Path, engine: Engine, events: Events) -> list[Case]:
    """List real micrographs and their labels, and simulate the sets that ``folder`` does not hold yet.

    Raises
    ------
    UsageError
        If micrographs, labels or molecules are wrong; the message names the data set.
    """
    cases = [case for data_set in settings.data for case in _real(data_set, folder / "noisy")]
    unlabelled = [case for data_set in settings.unlabelled for case in _listed(data_set, "")]
    empty = [
        replace(case, is_empty=True)
        for data_set in settings.empty
        if isinstance(data_set, MicrographSet)
        for case in _listed(data_set, "")
    ]
    folder /= "simulated"
    for group in settings.groups():
        for simulated in _simulated(group, folder, engine, events):
            cases += _listed(simulated, title(group) if len(group.molecules) > 1 else "")
    for empty_group in settings.empty:
        if isinstance(empty_group, SimulatedData):
            ice = {"settings": assigned(empty_group.settings, ["scene.empty_probability=1"])}
            alone = empty_group.name if len(empty_group.molecules) == 1 else None
            for simulated in _simulated(empty_group.model_copy(update=ice), folder, engine, events):
                empty += [
                    replace(case, name=alone or case.name, truth=None, is_empty=True)
                    for case in _listed(simulated, "")
                ]
    return cases + unlabelled + empty


def _real(data_set: LabelledSet, folder: Path) -> Iterator[Case]:
    """Yield a real data set, and the same with noise added: below ``folder``."""
    plain, *others = _listed(data_set, "")
    with _errors_about(data_set.name):
        if plain.of_filaments and data_set.annotators:
            raise UsageError("annotators are compared on particles, not on filaments; leave them out")
        ids = [source.micrograph_id for source in plain.sources]
        yield replace(
            plain,
            parts=parts(data_set.bins, ids) if data_set.bins else (),
            annotators={name: read_truth(labels) for name, labels in data_set.annotators.items()},
        )
    yield from others
    for factor in data_set.noise:
        copies = folder / data_set.noisy(factor)
        with _errors_about(data_set.name):
            noisy_copies(plain.sources, copies, factor)
        changes = {
            "name": data_set.noisy(factor),
            "micrographs": (str(copies),),
            "exclude": (),
            "diameters_off": (),
        }
        (noisy,) = _listed(data_set.model_copy(update=changes), "")
        yield replace(noisy, name=f"{data_set.name}, noise of {factor:g} sd")


def _simulated(group: SimulatedData, folder: Path, engine: Engine, events: Events) -> Iterator[LabelledSet]:
    """Yield the data set of each molecule; pickers find by themselves whether particles are bright."""
    for molecule in group.molecules:
        simulated = simulate_molecule(group, molecule, folder, engine, events)
        yield LabelledSet(
            name=simulated.name,
            micrographs=simulated.micrographs,
            labels=simulated.labels,
            diameter_A=simulated.diameter_A,
            invert="auto" if simulated.invert else "no",
            molecule=molecule,
        )


def _listed(data_set: MicrographSet, group: str) -> Iterator[Case]:
    """Yield a data set with the true diameter, then with each wrong one."""
    with _errors_about(data_set.name):
        sources = _without_excluded(
            list_sources(data_set.micrographs, relion_project=project_of(data_set.micrographs)),
            data_set.exclude,
        )
        truth = read_truth(data_set.labels) if isinstance(data_set, LabelledSet) else None
        if truth is not None:
            sources = [source for source in sources if truth.name_of(source.micrograph_id) is not None]
        if not sources:
            raise UsageError(
                "no micrograph is left; mend exclude, or labels, whose files are named after them"
            )
        case = Case(data_set.name, group, data_set, tuple(sources), truth, data_set.diameter_A)
        probe(sources, case.ingest(None))
    yield case
    for factor in data_set.diameters_off if isinstance(data_set, LabelledSet) else ():
        yield replace(
            case,
            name=f"{data_set.name}, diameter x {factor:g}",
            stated_diameter_A=factor * data_set.diameter_A,
        )


def _without_excluded(
    sources: Iterable[MicrographSource], exclude: tuple[str, ...]
) -> list[MicrographSource]:
    return [
        source
        for source in sources
        if not any(fnmatchcase(source.micrograph_id, pattern) for pattern in exclude)
    ]


@contextmanager
def _errors_about(name: str) -> Iterator[None]:
    """Raise usage errors about a data set again, with its name."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
