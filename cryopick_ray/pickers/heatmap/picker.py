"""The heat-map picker: grey values, one pass of the network in overlapping tiles, peaks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor
from torch.nn import functional

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.junk import JunkMask, kept_out
from cryopick_ray.pickers.calibration import calibrated
from cryopick_ray.pickers.grey_values import centre_and_sigma, refuse_without_contrast, sampled
from cryopick_ray.pickers.heatmap.junk_mask import junk_mask
from cryopick_ray.pickers.heatmap.networks import (
    CENTRE,
    FEWEST,
    JUNK,
    MULTIPLE,
    NEAR,
    REACH_PX,
    SIZE,
    STRIDE,
    HeatmapNetwork,
)
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.tiles import answer_in_tiles, extended_to_multiple, tile_px_on
from cryopick_ray.pickers.weights import ModelCard

NORMALISATION = "flattened"
BACKGROUND_PX = 48.0
"""Sigma of the Gaussian that is taken for the background: uneven ice, not particles of 20 px."""
TRUNCATE = 3.0
"""Sigmas at which that Gaussian ends."""
BLOCK_PX = 8
"""The background is found of blocks of so many pixels: so wide a Gaussian does not see them."""
CLIP = 6.0
"""Standard deviations beyond which grey values carry nothing about particles."""
FLOOR, PEAK_FLOOR = 0.02, 0.01
"""Lowest score of a candidate, and lowest peak that is one where nearness is known: faint ones are low."""
SUPPRESSION = 0.5
"""Suppression radius in diameters."""
EDGE, CUT_LOG_ODDS = 0.3, 1.0
"""Diameters from the edge of the image within which a particle is cut by it, and the most that costs."""


@dataclass(frozen=True, eq=False)
class Sized:
    """Candidates of one micrograph, and what else is known of them.

    Attributes
    ----------
    size
        ``(n,)`` how many times larger than expected each is.
    peak
        ``(n,)`` heights of their peaks, as the network answers: what a diameter that is tried is judged by,
        for scores suppose the right one.
    """

    candidates: Candidates
    size: NDArray[np.float32]
    peak: NDArray[np.float32]


class HeatmapPicker(NetworkPicker[HeatmapNetwork]):
    """A heat-map network as a picker; scores are probabilities, 0 to 1.

    Peaks are those of the answer for centres. Their height is the score of models that know no more. Those
    that know nearness too take the mean of both answers' log odds, less where the edge cuts a particle,
    calibrated as the card says: where the signal is weak a particle may be sure though its place is not.

    Parameters
    ----------
    network, card, particle_px, device, scoring
        As a :class:`~cryopick_ray.pickers.network_picker.NetworkPicker` takes them.
    tile_px
        Side of the tiles that are read at once, a multiple of 16: decides memory, not scores.
    """

    kind = "heatmap"
    normalisation = NORMALISATION
    tells_polarity = True

    def __init__(
        self,
        network: HeatmapNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        scoring: Scoring = EXACT,
        tile_px: int | None = None,
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device, scoring=scoring)
        self.tile_px = tile_px or tile_px_on(self.device)
        self.can_be_calibrated = card.parameters.get("answers", FEWEST) > NEAR
        # who never saw a particle of another size answers one size for all
        self.knows_size = card.options.get("scale_jitter") != 1 or card.scales[0] < card.scales[1]

    def details(self) -> dict[str, Any]:
        """Return what of the settings is this kind of picker's own."""
        return {"suppression": SUPPRESSION, "floor": FLOOR}

    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return all peaks above the floor of ``(n, h, w)`` images, half a particle apart at least.

        The outermost cells of a map are no peaks: what rises towards the edge is most often a particle
        whose centre lies beyond it.

        Raises
        ------
        MicrographError
            If an image is empty, constant or holds NaN or infinite values.
        """
        return [self._with_size(one) for one in self.pick_sized(images)]

    def pick_sized(self, images: Tensor) -> list[Sized]:
        """Return what :meth:`pick_many` does, with the size that the network sees in each.

        Raises
        ------
        MicrographError
            As :meth:`pick_many`.
        """
        answers = self._answers(images)
        maps = torch.sigmoid(answers[:, CENTRE]).contiguous()
        for edge in (0, -1):
            maps[:, edge] = maps[:, :, edge] = -torch.inf
        floor = PEAK_FLOOR if self.can_be_calibrated else FLOOR
        found = self.peaks(maps, radius_px=SUPPRESSION * self.particle_px / STRIDE, floor=floor)
        return [self._sized(one, answer) for one, answer in zip(found, answers, strict=True)]

    def _sized(self, peaks: Candidates, answers: Tensor) -> Sized:
        """Return one micrograph's candidates from its peaks, on the grid of its ``(a, h, w)`` answers."""
        row, column = (torch.from_numpy(np.rint(at).astype(np.int64)) for at in (peaks.y, peaks.x))
        there = answers[:, row.to(answers.device), column.to(answers.device)].cpu()
        size = there[SIZE].exp().numpy()
        placed = Candidates(_to_image(peaks.x), _to_image(peaks.y), peaks.score)
        if not self.can_be_calibrated:
            return Sized(placed, size, peaks.score)
        height, width = (STRIDE * side for side in answers.shape[1:])
        seen = _from_edge(placed, height, width) / (EDGE * self.particle_px)
        odds = (there[NEAR] + there[CENTRE]).numpy() / 2 - CUT_LOG_ODDS * np.clip(1 - seen, 0, 1)
        score = expit(odds)
        mask = junk_mask(answers[JUNK:], self.particle_px / STRIDE)
        junk = JunkMask(mask, (height, width)).at(placed.x, placed.y)
        if self.card.calibration is not None:
            clear = ~kept_out(junk, keep_junk=False) & (score > FLOOR)
            score[clear] = calibrated(score[clear], self.card.calibration)
        order = np.lexsort((placed.x, placed.y, -score))
        order = order[score[order] > FLOOR]
        found = Candidates(placed.x[order], placed.y[order], score[order], junk[order], mask)
        return Sized(found, size[order], peaks.score[order])

    def _with_size(self, sized: Sized) -> Candidates:
        """Return candidates that carry their sizes, where the network has learnt to tell them."""
        if not self.knows_size:
            return sized.candidates
        return replace(sized.candidates, more={"size_px": sized.size * np.float32(self.particle_px)})

    def score_maps(self, images: Tensor) -> Tensor:
        """Return the probabilities of a centre on the grid of every second pixel of ``(n, h, w)`` images.

        The score at ``[i, j]`` belongs to ``x = 2 j + 0.5, y = 2 i + 0.5`` of an image.

        Raises
        ------
        MicrographError
            As :meth:`pick_many`.
        """
        return torch.sigmoid(self._answers(images)[:, 0]).contiguous()

    def _answers(self, images: Tensor) -> Tensor:
        """Return the network's ``(n, a, h / 2, w / 2)`` answers."""
        return answers_of(self.ask, images, self.tile_px)


def answers_of(ask: Callable[[Tensor], Tensor], images: Tensor, tile_px: int) -> Tensor:
    """Return a U-Net's ``(n, a, h / 2, w / 2)`` answers to ``(n, h, w)`` images, which it sees flattened.

    Parameters
    ----------
    ask
        The network.
    tile_px
        Side of the tiles that are read at once: decides memory, not answers.
    """
    height, width = (-(-side // STRIDE) for side in images.shape[1:])
    whole = extended_to_multiple(flatten(images), MULTIPLE)
    answers = answer_in_tiles(ask, whole, multiple_px=MULTIPLE, rim_px=REACH_PX, tile_px=tile_px)
    return answers[:, :, :height, :width]


def flatten(images: Tensor) -> Tensor:
    """Return ``(n, h, w)`` images without their backgrounds, standard deviation 1, outliers clipped.

    The standard deviation is 1.4826 times the median absolute deviation, so that carbon and ice do not
    decide it.

    Raises
    ------
    MicrographError
        If an image is empty, constant or holds NaN or infinite values.
    """
    refuse_without_contrast(images)
    flat = images - background(images)
    _, sigma = centre_and_sigma(sampled(flat))
    if not bool((sigma > 0).all()):
        raise MicrographError("cannot normalise: more than half of the image is constant")
    return flat.mul_(1 / sigma[..., None]).clamp_(-CLIP, CLIP)


def background(images: Tensor) -> Tensor:
    """Return ``(n, h, w)`` images through a Gaussian of 48 px, mirrored at their edges.

    It is taken of means of 8 x 8 pixels, and linear between them.
    """
    height, width = images.shape[1:]
    blocks = functional.avg_pool2d(images[:, None], BLOCK_PX, ceil_mode=True, count_include_pad=False)
    mean = blocks.mean(dim=(2, 3), keepdim=True)  # apart: a large offset would cost digits
    down, across = (torch.from_numpy(_smoothing(side)).to(images.device) for side in (height, width))
    smooth = down @ (blocks - mean) @ across.T + mean
    wide = functional.interpolate(smooth, scale_factor=float(BLOCK_PX), mode="bilinear")
    return wide[:, 0, :height, :width]


@lru_cache(maxsize=8)
def _smoothing(length: int) -> NDArray[np.float32]:
    """Return the ``(k, k)`` matrix from means of blocks along ``length`` pixels to their background."""
    starts = np.arange(0, length, BLOCK_PX)
    pixels = np.minimum(starts + BLOCK_PX, length) - starts
    asked, held = starts + (BLOCK_PX - 1) / 2, starts + (pixels - 1) / 2
    reach = TRUNCATE * BACKGROUND_PX
    weights = np.zeros((len(starts), len(starts)))
    turns = int(np.ceil(reach / (2 * length)))
    for turn in range(-turns, turns + 1):
        for mirrored in (held, -1 - held):
            away = np.abs(asked[:, None] - (mirrored + 2 * length * turn))
            weights += np.where(away <= reach, np.exp(-((away / BACKGROUND_PX) ** 2) / 2), 0) * pixels
    smoothing: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return smoothing


def _from_edge(places: Candidates, height: int, width: int) -> NDArray[np.float32]:
    """Return how far ``(n,)`` places are from the nearest edge of their image."""
    sides = (places.x, places.y, width - 1 - places.x, height - 1 - places.y)
    return np.asarray(np.minimum.reduce(sides) + np.float32(0.5))


def _to_image(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    return (STRIDE * (grid + np.float32(0.5)) - np.float32(0.5)).astype(np.float32)
