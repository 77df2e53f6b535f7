"""A finished run that teaches: its micrographs, who labels them, and who is to learn."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.reading import is_table
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.families import build_network, make_picker
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.pickers.scoring import choose_scoring
from cryopick_ray.pickers.weights import restore
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable, recut
from cryopick_ray.runs.own_labels import Grade, grade, labelled, recentred
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.student import SELF, Model, SelfTrainSettings, self_train_settings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.splits import Split, split_rows
from cryopick_ray.training.scored import found_by

SMOOTHING = 0.125
"""Sigma in diameters of the Gaussian through the score map on whose peaks labels are centred."""
TRAINING = "training"
"""Folder of the training in that of a run that learned."""
MICROGRAPHS = 100
"""Learned from and held back at most, drawn at random: the paper picks as many for its 10,000 particles."""


@dataclass(frozen=True)
class Target:
    """A finished run that teaches.

    Attributes
    ----------
    run, settings
        Its folder, and how it was picked.
    learn
        How its model learns.
    start
        Weights and card to begin with.
    """

    run: RunFolder
    settings: RunSettings
    learn: SelfTrainSettings
    start: Model

    def model(self, out: RunFolder) -> Path:
        """Return the file of the model that a run in ``out`` picks with."""
        return out.path / TRAINING / f"{self.learn.name}.safetensors"

    @property
    def is_own_teacher(self) -> bool:
        """Whether its own picks are the labels."""
        return self.learn.teacher == SELF

    def own_picker(self, device: str) -> Picker:
        """Return the picker of the model that begins, asked as students are."""
        state, card = self.start
        network = restore(lambda: build_network(card), state, card.name)
        return make_picker(
            network,
            card,
            particle_px=float(self.learn.options["particle_px"]),
            device=device,
            scoring=choose_scoring(device=device),
        )

    @property
    def is_table_teacher(self) -> bool:
        """Whether the labels are the picks of a table."""
        return not self.is_own_teacher and is_table(self.learn.teacher)

    def teachers_picker(self, device: str) -> Picker | None:
        """Return the picker whose picks are the labels; none where they are those of a table."""
        if self.is_own_teacher:
            return self.own_picker(device)
        if self.is_table_teacher:
            return None
        return load_picker(self.learn.teacher, particle_px=None, device=device)

    def sample(self, table: PickTable) -> list[MicrographPicks]:
        """Return the micrographs that are learned from or held back, with the teacher's picks.

        Excluded ones are neither.
        """
        manifest = read_manifest(MicrographStore(self.run.store).place)
        known = {name for name, row in manifest.items() if row.status == "complete"}
        complete = [one for one in table if one.micrograph.status == "complete" and not one.is_excluded]
        picks = [one for one in complete if one.micrograph.micrograph_id in known]
        if complete and not picks:
            raise UsageError(
                f"the `teacher` {self.learn.teacher} has none of the run's micrographs, but such as "
                f"{complete[0].micrograph.micrograph_id!r}; expected the table of a run of the same ones"
            )
        if len(picks) > MICROGRAPHS:
            drawn = np.random.default_rng(self.learn.seed).permutation(len(picks))[:MICROGRAPHS]
            picks = [picks[index] for index in sorted(drawn.tolist())]
        return picks if self.learn.lowest is None else list(recut(picks, self.learn.lowest))

    def split(self, picks: Iterable[MicrographPicks], picker: Picker | None) -> Split:
        """Return what picks teach: the sure ones to learn from, all to choose by.

        Parameters
        ----------
        picker
            The one that picked, on whose smoothed map labels are centred; those of a table stay.

        Raises
        ------
        UsageError
            If there are too few picks.
        """
        learn = self.learn
        graded = grade(picks, share=learn.share, top=learn.top)
        sure, every = (labelled(graded, self.run, self.settings, one) for one in (Grade.SURE, Grade.PICKED))
        if learn.recentred and isinstance(picker, NetworkPicker) and picker.spreads:
            smooth = picker.smoothed(SMOOTHING)
            peaks = [found_by(smooth, row) for row in sure]
            sure, every = (list(map(recentred, rows, peaks)) for rows in (sure, every))
        training, _ = split_rows(sure, learn.validation_share, learn.seed)
        _, held_back = split_rows(every, learn.validation_share, learn.seed)
        return Split(training, held_back, ())


def target_of(run: RunFolder, given: Mapping[str, Any], assignments: Sequence[str]) -> Target:
    """Return a run and how it teaches; raises and takes what :func:`self_train_settings` does."""
    settings = run.settings()
    learn, start = self_train_settings(settings, given, assignments, finest_px=finest_px(run, settings))
    return Target(run, settings, learn, start)


def finest_px(run: RunFolder, settings: RunSettings) -> float:
    """Return how many pixels a diameter may have, given how a run's micrographs are stored."""
    rows = read_manifest(MicrographStore(run.store).place).values()
    cropped = [row for row in rows if row.status == "complete" and row.shape != row.source_shape]
    sizes_A = [row.pixel_size_A * row.source_shape[0] / row.shape[0] for row in cropped]
    return settings.pick.diameter_A / max(sizes_A) if sizes_A else math.inf
