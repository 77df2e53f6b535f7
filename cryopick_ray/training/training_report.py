"""The report a person looks at after a training: one HTML file that needs nothing but itself."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from cryopick_ray.errors import DamagedError
from cryopick_ray.evaluation.curves import Curve
from cryopick_ray.picks.matching import match
from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.report.figures import Axis, LineChart, fitted_axis, nice_ticks
from cryopick_ray.report.lines import line_style
from cryopick_ray.report.report import duration, flatten, page_maker
from cryopick_ray.report.thumbnails import MAX_CANDIDATES, Thumbnail, choose_thumbnails, make_thumbnail
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.labelled import Centres
from cryopick_ray.training.loop.loop import Epoch
from cryopick_ray.training.results import AVERAGED, ResultLine, average
from cryopick_ray.training.scored import ScoredMicrograph

MAX_PICTURES = 8


@dataclass(frozen=True)
class ScoredThumbnail:
    """A labelled micrograph as a picture, with what the model's picks find and what they miss.

    Attributes
    ----------
    part
        What it was picked for: ``validation``, or the test data set's name.
    picture
        The micrograph with its picks, the best 2000.
    is_hit
        ``(n,)`` which of the picks in the picture find a particle.
    missed
        Labelled particles that no pick finds, 2000 at most.
    n_hits, n_missed
        How many picks find a particle and how many particles are missed, in all.
    """

    part: str
    picture: Thumbnail
    is_hit: NDArray[np.bool_]
    missed: Centres
    n_hits: int
    n_missed: int

    @property
    def n_false(self) -> int:
        """How many picks find no particle."""
        return self.picture.n_picked - self.n_hits

    @property
    def is_cut(self) -> bool:
        """Whether there is more than is drawn."""
        drawn = len(self.is_hit) + len(self.missed)
        return drawn < self.picture.n_picked + self.n_missed

    @property
    def marks(self) -> Iterator[tuple[tuple[str, str, str, bool], bool]]:
        """The picks drawn, as text (:attr:`Thumbnail.circles`), and whether each finds a particle."""
        return zip(self.picture.circles, self.is_hit.tolist(), strict=True)

    @property
    def misses(self) -> Iterator[tuple[str, str]]:
        """Centre of each missed particle, as text."""
        return ((f"{x + 0.5:.1f}", f"{y + 0.5:.1f}") for x, y in self.missed.tolist())


@dataclass(frozen=True)
class TrainingReport:
    """What the report says.

    Attributes
    ----------
    title, version, generated
        Heading, version of this package, and when training ended, all as text.
    settings
        Nested plain settings.
    history
        All epochs.
    curves
        Precision and recall of validation and of each test data set, by name.
    lines
        Scores on test micrographs.
    threshold
        The model's own: a candidate with at least this score is a pick.
    best_epoch
        The epoch whose weights the model has, counted from 1.
    thumbnails
        Pictures, those with most mistakes first (:func:`tried_thumbnails`).
    seconds
        Seconds by stage, in order.
    """

    title: str
    version: str
    generated: str
    settings: Mapping[str, Any]
    history: Sequence[Epoch]
    curves: Sequence[tuple[str, Curve]]
    lines: Sequence[ResultLine]
    threshold: float
    best_epoch: int
    thumbnails: Sequence[ScoredThumbnail]
    seconds: Mapping[str, float]


def scored_thumbnails(
    parts: Sequence[tuple[str, Sequence[ScoredMicrograph]]], threshold: float, n: int = MAX_PICTURES
) -> list[ScoredThumbnail]:
    """Read and draw ``n`` micrographs that span from most to fewest mistakes at the model's threshold.

    Parameters
    ----------
    parts
        Tried micrographs by what they were picked for, named as the report's curves.
    """
    scored = [(part, one) for part, some in parts for one in some]
    chosen = choose_thumbnails([_mistakes(one, threshold) for _, one in scored], n)
    pictures = []
    for part, one in (scored[index] for index in chosen):
        with suppress(DamagedError):  # a lost image costs its picture, not the report
            image = MicrographStore(one.source.store_url).read(one.source.row)
            pictures.append(scored_thumbnail(part, one, image, threshold))
    return pictures


def scored_thumbnail(
    part: str, scored: ScoredMicrograph, image: NDArray[np.floating], threshold: float
) -> ScoredThumbnail:
    """Return the picture of a tried micrograph.

    Parameters
    ----------
    part
        What it was picked for.
    image
        ``(h, w)`` as in the store; shown in its own contrast.
    threshold
        Candidates with at least this score are drawn.
    """
    source, row, found = scored.source, scored.source.row, scored.candidates
    picked = found.score >= threshold
    x, y, score = found.x[picked], found.y[picked], found.score[picked]
    # What a pick finds depends on better picks only, so these are the hits among all candidates.
    true_x, true_y = source.particles.T
    finds = match(x, y, score, true_x, true_y, source.radius_A / row.pixel_size_A)
    missed = np.delete(source.particles, finds[finds >= 0], axis=0)
    micrograph = PickedMicrograph(
        row.micrograph_id,
        source.dataset,
        row.relion_name,
        row.source_shape,
        row.pixel_size_A,
        row.optics,
        row.status,
        row.reason,
    )
    every = none(len(score))
    return ScoredThumbnail(
        part=part,
        picture=make_thumbnail(image, MicrographPicks(micrograph, x, y, score, every, source.diameter_A)),
        is_hit=finds[:MAX_CANDIDATES] >= 0,
        missed=missed[:MAX_CANDIDATES],
        n_hits=int((finds >= 0).sum()),
        n_missed=len(missed),
    )


def render_training_report(report: TrainingReport) -> str:
    """Return the report as one HTML page without references to anything outside it.

    All text is escaped, so names of micrographs and data sets can hold whatever they like.
    """
    environment = page_maker("training", "report")  # style sheet and script are those of the run's report
    environment.filters["number"] = number
    return environment.get_template("report.html").render(
        report=report,
        losses=loss_curves(report.history, report.best_epoch),
        ranking=precision_recall(report.curves, report.threshold),
        legend=[
            (name, line_style(index), curve.average_precision() if curve.n_truth else None)
            for index, (name, curve) in enumerate(report.curves)
        ],
        averages={name: average([line.score for line in report.lines], name) for name in AVERAGED},
        settings=flatten(_numbered(report.settings)),
        total_s=sum(report.seconds.values()),
    )


def loss_curves(history: Sequence[Epoch], best_epoch: int) -> Markup:
    """Draw the losses of every epoch, the best one marked; nothing of no epochs."""
    if not history:
        return Markup("")
    epochs = np.array([one.epoch for one in history])
    train = np.array([one.train_loss for one in history])
    validation = np.array([math.nan if (v := one.validation_loss) is None else v for one in history])
    first, last = int(epochs[0]), int(epochs[-1])
    ticks = [tick for tick in nice_ticks(first, last, 8) if tick == int(tick)]
    chart = LineChart(
        "Loss by epoch",
        Axis("epoch", first - 0.5, last + 0.5, ticks),
        fitted_axis("loss", np.concatenate([train, validation])),
    )
    parts = [chart.upright("best", best_epoch)] if first <= best_epoch <= last else []
    best = epochs == best_epoch
    for index, losses in enumerate((train, validation)):
        style = line_style(index)
        parts += [chart.line(style, epochs, losses), chart.line(style, epochs[best], losses[best])]
    parts += [chart.column(one.epoch - 0.5, one.epoch + 0.5, _epoch_words(one)) for one in history]
    return chart.draw(parts)


def precision_recall(curves: Sequence[tuple[str, Curve]], threshold: float) -> Markup:
    """Draw precision over recall of each curve, and dots where the model's threshold is."""
    if not curves:
        return Markup("")
    fifths = [part / 5 for part in range(6)]
    chart = LineChart(
        "Precision and recall", Axis("recall", 0, 1, fifths), Axis("precision", 0, 1.02, fifths)
    )
    lines, dots = [], []
    for index, (_, curve) in enumerate(curves):
        precision, recall = curve.precision, curve.recall
        lines.append(chart.line(line_style(index), recall, precision))
        # In float32, as picks are cut.
        reached = np.flatnonzero(curve.threshold.astype(np.float32) >= threshold)
        if len(reached):
            at = float(recall[reached[-1]]), float(precision[reached[-1]])
            words = f"threshold {threshold:.4g}: precision {at[1]:.3f}, recall {at[0]:.3f}"
            dots.append(chart.dot(line_style(index), *at, words))
    return chart.draw(lines + dots)


def number(value: float | None) -> str:
    """Return a measure as text; a dash if it is not defined."""
    return "\N{EN DASH}" if value is None or math.isnan(value) else f"{value:.3f}"


def _epoch_words(epoch: Epoch) -> str:
    losses = f"training {epoch.train_loss:.4g}"
    if epoch.validation_loss is not None:
        losses += f", validation {epoch.validation_loss:.4g}"
    return (
        f"epoch {epoch.epoch}: {losses}; learning rate {epoch.learning_rate:.3g}; {duration(epoch.seconds)}"
    )


def _mistakes(scored: ScoredMicrograph, threshold: float) -> int:
    picked = scored.candidates.score >= threshold
    return int(picked.sum()) + len(scored.source.particles) - 2 * int((scored.is_hit & picked).sum())


def _numbered(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings whose lists of groups, such as data sets, are groups by number."""
    groups: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
            value = {str(place): one for place, one in enumerate(value, 1)}
        groups[name] = _numbered(value) if isinstance(value, Mapping) else value
    return groups
