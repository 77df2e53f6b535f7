"""Settings of ``cryopick train``."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cryopick_ray.errors import CryoPickError, brief
from cryopick_ray.pickers.registry import find_training
from cryopick_ray.settings.base import Positive, Settings
from cryopick_ray.settings.config import checked
from cryopick_ray.simulate.drawn_ranges import Range, between
from cryopick_ray.simulate.library import own_name

Scales = Annotated[Range, between(0.25, 4)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def _can_learn(network: str) -> str:
    try:
        find_training(network)
    except CryoPickError as error:
        raise ValueError(str(error)) from error
    return network


class LabelChoice(Settings):
    """Conditions on the picks of a table that are labels to learn from; all must hold.

    Attributes
    ----------
    least_votes
        At least so many pickers agree on them (``votes``).
    source
        Found by this picker; ``hand``: by a person.
    classes
        In one of these classes (``class_number``).
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
        Like ``labels``: places that look like particles and are none. For networks that learn from single
        negatives; not for those that learn from whole images or from unlabelled places.
    junk
        Folder of MRC files named after the micrographs: masks of junk codes
        (:class:`~cryopick_ray.micrographs.junk.Junk`), for networks that segment junk; simulated
        micrographs come with their masks.
    radius_A
        A pick this near finds a particle, in scores; ``None`` for half a diameter.
    repeat
        Times that its micrographs count in training: a few real ones among many simulated ones.
    molecule, simulated
        Name of the molecule, if possible that of a built-in one, and whether the micrographs are simulated:
        for the model's card, by which a test on data seen in training is marked.
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
        Pixels that a molecule's diameter spans: at least as many as at the network's scale.
    invert
        Whether particles are brighter than their surroundings, as in stain.
    enlarged
        Enlargement over the network's scale, for data sets of negatives: junk comes in any size.
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
                field = "particle_px, pixels of a diameter," if name == "pixel_size_A" else name
                raise ValueError(f"settings has {name}; give {field} beside settings, not in it")
        return self

    def called(self, molecule: str) -> str:
        """Return the name of a molecule's data set."""
        return molecule if self.name is None else f"{molecule}-{self.name}"


class LearnSettings(Settings):
    """How a network learns, whatever it learns from.

    Attributes
    ----------
    network
        The network to train.
    options
        Of its recipe, such as ``{base: 24}``; ``cryopick models options NETWORK`` lists them.
    name
        Of the model; ``None`` for network and data set.
    general
        Vary grey values of every micrograph in every epoch (spectrum, noise), for a model of molecules
        and microscopes that are not in its training data; its scores are calibrated on the validation
        micrographs, where the network can be.
    scales
        Least and most enlargement of particles, drawn anew in every epoch: how far off the diameter may be
        that the model is later given.
    scrambled
        Part of the micrographs that are replaced by noise with their own power spectrum and no particles,
        others in every epoch: against picks on bare ice and carbon.
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
        Share of the starting weights in the kept ones, by linear interpolation: less of what was learnt
        before is forgotten (Wortsman et al. 2022, arXiv:2109.01903).
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
        Data sets, all learned from together.
    start
        Model to start from (its file) instead of fresh weights.
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
        names = [data_set.name for data_set in self.data]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two data sets are called {brief(sorted(twice)[0])}; give each its own name")
        if self.rounds > 1 and (
            sparse := [data_set.name for data_set in self.data if data_set.labels_used is not None]
        ):
            raise ValueError(
                f"rounds is {self.rounds}, and labels_used of {sparse[0]} leaves particles without label, "
                "which a round would find and the next take for negatives; leave one of the two out"
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
