"""Models that take part in a suite: the same for all data sets, or made for each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.catalogue import load_picker, read_card
from cryopick_ray.pickers.filament.picker import FilamentPicker
from cryopick_ray.pickers.provenance import Provenance
from cryopick_ray.pickers.template.templates import Templates
from cryopick_ray.pickers.weights import ModelCard, save_model
from cryopick_ray.runs.template_model import ANGULAR_STEP_DEG, template_model
from cryopick_ray.suite.cases import Case
from cryopick_ray.suite.suite_settings import SuiteSettings

COARSER_DEG = (20.0, 30.0)
"""Steps between views of a molecule of which there are too many at the usual one."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that can be loaded.

    Attributes
    ----------
    weights
        Its name or file, as in a run's settings.
    particle_px
        Pixels of a particle at its scale.
    trained_on
        Of its card; ``None`` for a picker that learns nothing.
    of_filaments
        Whether it finds filaments, not particles.
    """

    weights: str
    particle_px: float
    trained_on: Provenance | None
    of_filaments: bool = False


@dataclass(frozen=True)
class ModelMaker:
    """A way to make a model for a data set.

    Attributes
    ----------
    fits
        Whether a model can be made for a case.
    make
        Returns the weights file below a folder; makes it unless it is there.
    """

    fits: Callable[[Case], bool]
    make: Callable[[Case, Path], Path]


@dataclass(frozen=True)
class Entrant:
    """A model that takes part: one of the seeds of a group.

    Attributes
    ----------
    name, weights
        Name of its group, and its own name or file.
    only
        Data sets that it picks; all, if none is named.
    model
        The same for all data sets; ``None`` if one is made for each.
    """

    name: str
    weights: str
    only: tuple[str, ...]
    model: LoadedModel | None

    def meets(self, case: Case) -> bool:
        """Tell whether it picks this data set: one of what it finds, or one without any."""
        if self.only and case.settings.name not in self.only:
            return False
        if self.model is None:
            return not case.of_filaments and MAKERS[self.weights].fits(case)
        return case.is_empty or case.of_filaments == self.model.of_filaments

    def model_for(self, case: Case, folder: Path) -> LoadedModel:
        """Return its model for a data set, made below ``folder`` if it must be."""
        return self.model or look_up(str(MAKERS[self.weights].make(case, folder)))


def entrants(settings: SuiteSettings) -> list[Entrant]:
    """Return all models of the settings, each checked before anything is picked."""
    return [
        Entrant(group.name, seed, group.only, None if seed in MAKERS else look_up(seed))
        for group in settings.models
        for seed in group.seeds
    ]


def look_up(weights: str) -> LoadedModel:
    """Load a model to check it; return its scale and provenance."""
    picker, card = load_picker(weights, particle_px=None, device="cpu"), read_card(weights)
    trained_on = card.trained_on if card else None
    return LoadedModel(weights, picker.particle_px, trained_on, isinstance(picker, FilamentPicker))


def _templates(case: Case, folder: Path) -> Path:
    """Return templates of the molecule that is searched for, at the true diameter."""
    assert case.sought is not None
    diameter_A = case.settings.diameter_A
    path = folder / "templates" / f"{case.sought}-{diameter_A:g}A.safetensors"
    if not path.is_file():
        network, card = _views(case.sought, diameter_A)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_model(path, network.state_dict(), card)
    return path


def _views(molecule: str, diameter_A: float) -> tuple[Templates, ModelCard]:
    """Return templates every 15 degrees, or coarser if there are too many unlike views."""
    for step_deg in (ANGULAR_STEP_DEG, *COARSER_DEG):
        try:
            network, card, _ = template_model(molecule, diameter_A, angular_step_deg=step_deg)
        except UsageError:
            if step_deg == COARSER_DEG[-1]:
                raise
        else:
            break
    return network, card


MAKERS = {"template": ModelMaker(lambda case: case.sought is not None, _templates)}
"""By the name that stands for them among the models."""
