"""The filament picker: grey values, one pass of the network, traces, segments along them."""

from copy import copy
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.filaments.segments import Segments, cut_segments
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.filaments.tracing import trace_maps
from cryopick_ray.filaments.tracing_settings import TracingSettings
from cryopick_ray.micrographs.junk import JunkMask, kept_out
from cryopick_ray.pickers.filament.networks import COS2, JUNK, RIDGE, FilamentNetwork
from cryopick_ray.pickers.heatmap.junk_mask import junk_mask
from cryopick_ray.pickers.heatmap.networks import STRIDE
from cryopick_ray.pickers.heatmap.picker import NORMALISATION, answers_of
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.tiles import tile_px_on
from cryopick_ray.pickers.weights import ModelCard
from cryopick_ray.settings.filament_settings import SPACING
from cryopick_ray.units import Shape

CHORD = 2.0
"""Widths along a filament that the direction of a segment is taken from."""


class FilamentPicker(NetworkPicker[FilamentNetwork]):
    """A network that sees filaments, as a picker: its candidates are segments along the filaments.

    Ridges of the network's answers are traced (:func:`~cryopick_ray.filaments.tracing.trace_maps`), and each
    trace is cut into segments. All segments of a filament have its score, the mean height of its ridge.

    Parameters
    ----------
    network, card, device, scoring
        As a :class:`~cryopick_ray.pickers.network_picker.NetworkPicker` takes them.
    particle_px
        Pixels that a filament's width spans.
    """

    kind = "filament"
    normalisation = NORMALISATION
    tells_polarity = True
    spacing_px: float
    """Between segments, in pixels of the image."""

    def __init__(
        self,
        network: FilamentNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        scoring: Scoring = EXACT,
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device, scoring=scoring)
        self.spacing_px = SPACING * self.particle_px
        self.tracing = TracingSettings()

    def spaced(self, spacing_px: float) -> Self:
        """Return the picker of segments so far apart, in pixels of the image."""
        one = copy(self)
        one.spacing_px = spacing_px
        return one

    def details(self) -> dict[str, Any]:
        """Return what of the settings is this kind of picker's own."""
        return {"spacing_px": self.spacing_px, "tracing": self.tracing.model_dump()}

    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return the segments of all filaments in each of ``(n, h, w)`` images, the surest filament first.

        Raises
        ------
        MicrographError
            If an image is empty, constant or holds NaN or infinite values.
        """
        height, width = images.shape[1:]
        answers = answers_of(self.ask, images, tile_px_on(self.device))
        return [self._segments(answer, (height, width)) for answer in answers]

    def _segments(self, answers: Tensor, shape: Shape) -> Candidates:
        """Return one image's candidates from its ``(a, h, w)`` answers."""
        mask = junk_mask(answers[JUNK:], self.particle_px / STRIDE)
        ridge, cos2, sin2 = (
            one.contiguous().cpu().numpy() for one in (torch.sigmoid(answers[RIDGE]), *answers[COS2:JUNK])
        )
        traces = trace_maps(
            *(ridge, cos2, sin2, self.tracing),
            width_px=self.particle_px / STRIDE,
            excluded=kept_out(_spread(mask, ridge.shape), keep_junk=False),
        )
        in_image = [Trace(STRIDE * (trace.points + 0.5) - 0.5, trace.score) for trace in traces]
        found = cut_segments(in_image, self.spacing_px, CHORD * self.particle_px)
        junk = JunkMask(mask, shape).at(found.x_px, found.y_px)
        return _candidates(found, junk, mask)


def _spread(mask: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """Return the ``(k, l)`` cells of a mask over a map of that shape."""
    rows, columns = (np.arange(side) * cells // side for side, cells in zip(shape, mask.shape, strict=True))
    spread: NDArray[np.uint8] = mask[rows[:, None], columns]
    return spread


def _candidates(found: Segments, junk: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Candidates:
    """Return segments as candidates, best first, then by y and x."""
    x, y, score = (one.astype(np.float32) for one in (found.x_px, found.y_px, found.score))
    order = np.lexsort((x, y, -score))
    more = {
        "angle_deg": found.psi_deg.astype(np.float32)[order],
        "filament": found.filament[order],
        "track_px": found.track_px.astype(np.float32)[order],
    }
    return Candidates(x[order], y[order], score[order], junk[order], mask, more)
