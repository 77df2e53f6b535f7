"""What ``cryopick train`` is told."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cryopick_ray.errors import CryoPickError, brief
from cryopick_ray.pickers.registry import find_training
from cryopick_ray.settings.base import Positive, Settings
from cryopick_ray.settings.config import checked
from cryopick_ray.simulate.drawn_ranges import Range, between
from cryopick_ray.simulate.library import list_molecules

Scales = Annotated[Range, between(0.25, 4)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def _can_learn(network: str) -> str:
    try:
        find_training(network)
    except CryoPickError as error:
        raise ValueError(str(error)) from error
    return network


def own_name(molecule: str) -> str:
    """Return a built-in molecule's name for its alias; any other as it is."""
    known = {alias: one.name for one in list_molecules() for alias in one.aliases}
    return known.get(molecule.lower(), molecule)


class LabelChoice(Settings):
    """Which picks of a table are labels to learn from; all conditions must hold.

    Attributes
    ----------
    least_votes
        Those on which so many pickers agree (``votes``).
    source
        Those that this picker found; ``hand``: a person.
    classes
        Those of these classes (``class_number``).
    """

    least_votes: Annotated[int, Field(ge=1)] | None = None
    source: str | None = None
    classes: tuple[int, ...] = ()


class DataSettings(Settings):
    """One data set: micrographs of one molecule with labels.

    Attributes
    ----------
    name
        Its name in tables and folders.
    micrographs
        Folders, files, globs or lists, as ``cryopick run`` takes them.
    labels
        Coordinates of any program, or a run or a table. Of a table the picks are particles, what a person
        removed is none, and what anything but the threshold keeps out may be either.
    chosen
        Which picks of a table are learned from; the others may be either.
    diameter_A, pixel_size_A
        As for ``cryopick run``.
    invert
        Whether particles are brighter than the ice.
    exclude
        Globs of micrographs that are not used at all.
    test
        Globs of micrographs kept apart and scored once, at the end.
    validation
        Globs of micrographs that choose the best epoch and the threshold; ``None`` for a share of them.
    labels_used
        Labels to learn from, drawn at random over the training micrographs; ``None`` for all.
    false_labels
        Like ``labels``: places that look like particles and are none. For networks that are shown
        negatives one by one; not for those that learn from whole images or from unlabelled places.
    junk
        Folder of MRC files named after the micrographs: what lies where, as codes
        (:class:`~cryopick_ray.micrographs.junk.Junk`), for networks that tell it; those of simulated
        micrographs come with them.
    radius_A
        A pick this near finds a particle, in scores; ``None`` for half a diameter.
    repeat
        Times that its micrographs count in training: a few real ones among many simulated ones.
    molecule, simulated
        Name of the molecule, a built-in one's if it is one, and whether the micrographs are simulated: for
        the model's card, by which a test on what it has seen is marked.
    """

    name: Annotated[str, Field(pattern=NAME)]
    micrographs: Annotated[tuple[str, ...], Field(min_length=1)]
    labels: Path
    chosen: LabelChoice | None = None
    diameter_A: Positive
    pixel_size_A: Positive | None = None
    invert: bool = False
    exclude: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    validation: tuple[str, ...] | None = None
    labels_used: Annotated[int, Field(ge=1)] | None = None
    false_labels: Path | None = None
    junk: Path | None = None
    radius_A: Positive | None = None
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1
    molecule: Annotated[str, AfterValidator(own_name)] | None = None
    simulated: bool | None = None


class SimulatedData(Settings):
    """Molecules to simulate: each becomes a data set of its own.

    Attributes
    ----------
    molecules
        Names of built-in molecules, or files.
    name
        Of this group of molecules: their data sets are called MOLECULE-NAME, or MOLECULE without one.
    micrographs, seed
        Of each molecule.
    particle_px
        Pixels that a molecule's diameter spans: at least as many as the network is shown.
    invert
        Whether particles are brighter than what they lie in, as in stain.
    enlarged
        How many times larger than the network's scale they are shown: what is nothing of what it looks for
        comes in any size.
    settings
        Anything else that ``cryopick simulate`` takes, such as ``{height_px: 1024, ice: {...}}``.
    """

    molecules: Annotated[tuple[str, ...], Field(min_length=1)]
    name: Annotated[str, Field(pattern=NAME)] | None = None
    micrographs: Annotated[int, Field(ge=1)] = 4
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    particle_px: Annotated[float, Field(ge=8, le=512)] = 48.0
    invert: bool = False
    enlarged: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> Self:
        for name in ("molecules", "micrographs", "seed", "pixel_size_A"):
            if name in self.settings:
                own = "particle_px, pixels of a diameter," if name == "pixel_size_A" else name
                raise ValueError(f"settings has {name}; give {own} beside settings, not in it")
        return self

    def called(self, molecule: str) -> str:
        """Return the name of a molecule's data set."""
        return molecule if self.name is None else f"{molecule}-{self.name}"


class LearnSettings(Settings):
    """How a network learns, whatever it learns from.

    Attributes
    ----------
    network
        What is trained.
    options
        Of its recipe, such as ``{base: 24}``; ``cryopick models options NETWORK`` lists them.
    name
        Of the model; ``None`` for network and data set.
    general
        Vary grey values of every micrograph in every epoch (spectrum, noise), for a model of molecules
        and microscopes that are not in its training data; its scores are calibrated on the validation
        micrographs, where the network can be.
    scales
        Least and most that particles are enlarged, anew in every epoch: how far off the diameter may be
        that the model is later given.
    scrambled
        Part of the micrographs that are shown as noise with their own power spectrum and no particles,
        others in every epoch: a model that is to leave ice and carbon alone.
    epochs, steps, batch, learning_rate
        ``None`` for the network's own.
    patience
        Epochs without a better validation loss after which training stops.
    precision
        ``auto``: bfloat16 on a GPU, float32 on a CPU.
    seed
        Equal seeds give equal training on equal CPUs, and nearly equal on equal GPUs.
    rounds
        Trainings; after each but the last, its false picks on the training micrographs become
        negatives of the next, which starts anew (DeepEM's recursive training). As for ``false_labels``.
    validation_share
        Part of each data set's micrographs, of simulated ones together, that chooses the best epoch and the
        threshold.
    start_share
        Part of the weights that training began with in those that are kept, between both on a line: what
        was learnt before is forgotten less (Wortsman et al. 2022, arXiv:2109.01903).
    """

    network: Annotated[str, AfterValidator(_can_learn)]
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    name: Annotated[str, Field(pattern=NAME)] | None = None
    general: bool = False
    scales: Scales = (1.0, 1.0)
    scrambled: Annotated[float, Field(ge=0, lt=1)] = 0.0
    epochs: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    batch: Annotated[int, Field(ge=1)] | None = None
    learning_rate: Positive | None = None
    patience: Annotated[int, Field(ge=1)] = 10
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    rounds: Annotated[int, Field(ge=1)] = 1
    validation_share: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    start_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class TrainSettings(LearnSettings):
    """Everything ``cryopick train`` needs.

    Attributes
    ----------
    data, simulated
        What is learned from, together.
    start
        Model to begin with (its file) instead of fresh weights.
    folds
        ``molecules``: leave each molecule out in turn, with all of its data sets (one that names no molecule
        is its own); ``families``: leave out molecules that look alike together
        (:mod:`~cryopick_ray.simulate.molecule_families`); a number: split micrographs into so many parts
        and leave each out in turn. ``None``: one training.
    """

    data: tuple[DataSettings, ...] = ()
    simulated: tuple[SimulatedData, ...] = ()
    start: str | None = None
    folds: Literal["molecules", "families"] | Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        names = [one.name for one in self.data]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two data sets are called {brief(sorted(twice)[0])}; give each its own name")
        if self.rounds > 1 and (few := [one.name for one in self.data if one.labels_used is not None]):
            raise ValueError(
                f"rounds is {self.rounds}, and labels_used of {few[0]} leaves particles without label, which "
                "a round would find and the next take for negatives; leave one of the two out"
            )
        if not self.data and not self.simulated:
            raise ValueError("nothing to train on: give data, simulated or both")
        return self


def train_settings(data: dict[str, Any]) -> TrainSettings:
    """Check plain data, or raise :class:`UsageError` naming every wrong value."""
    return checked(TrainSettings, data, of="training")


def learn_settings(data: dict[str, Any]) -> LearnSettings:
    """Check plain data, or raise :class:`UsageError` naming every wrong value."""
    return checked(LearnSettings, data, of="training")
