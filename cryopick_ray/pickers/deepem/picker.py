"""The DeepEM picker: slide a box over the image, ask about it in four orientations, report the peaks."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.deepem.exact import ExactScores
from cryopick_ray.pickers.deepem.networks import POOLS, DeepEMNetwork
from cryopick_ray.pickers.device.usable_device import repeatable
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.patches import NORMALISATION, Windows, z_scored_micrographs
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.weights import ModelCard

BOX_DIAMETERS = 1.5
"""Side of the box in particle diameters, unless the recipe says otherwise."""
STRIDE = 1 / 16
"""Step of the box as a part of its side: half of the paper's (20 of 160 px), because peaks are then found
on the map of scores, and its step decides how well a centre is known."""
FLOOR = 0.05
TILE_PX = {"exact": 1536, "fast": 768}
"""Side of the parts of an image that are scored at once: decides memory, not scores."""


class DeepEMPicker(NetworkPicker[DeepEMNetwork]):
    """A DeepEM network as a picker; scores are its outputs, 0..1, mean over four orientations.

    Exact scoring z-scores every box by its own grey values. Fast scoring z-scores each pixel by its
    surroundings, so that neighbouring boxes share all their convolutions.

    The paper suppresses twice in Chebyshev distance (KLH 70 and 40 px, 19S 100 and 40 px); here one
    suppression by half a diameter in true distance does.

    Parameters
    ----------
    network, card, particle_px, device, scoring
        As a :class:`~cryopick_ray.pickers.network_picker.NetworkPicker` takes them.
    min_std, max_std
        Boxes whose grey values have a standard deviation outside these multiples of the median box's
        are skipped: bare ice of another thickness, carbon, contamination.
    """

    kind = "deepem"
    normalisation = NORMALISATION
    spreads = True

    def __init__(
        self,
        network: DeepEMNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        scoring: Scoring = EXACT,
        min_std: float = 0.4,
        max_std: float = 2.5,
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device, scoring=scoring)
        if not 0 <= min_std < 1 < max_std:
            raise UsageError(f"min_std {min_std} and max_std {max_std}: expected 0 <= min_std < 1 < max_std")
        # of 3 px times the powers of two, which the poolings divide, the nearest
        self.step_px = POOLS[0] * 2 ** max(0, round(math.log2(STRIDE * network.box_px / POOLS[0])))
        self.tile_px = TILE_PX["exact" if scoring.exact else "fast"]
        self.min_std, self.max_std = min_std, max_std

    def details(self) -> dict[str, Any]:
        """Return what of the settings is this kind of picker's own."""
        return {
            "step_px": self.step_px,
            "radius_px": self.particle_px / 2,
            "floor": FLOOR,
            "min_std": self.min_std,
            "max_std": self.max_std,
        }

    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return all peaks above the floor of ``(n, h, w)`` images, half a particle apart at least.

        Raises
        ------
        MicrographError
            If an image is constant or holds NaN or infinite values.
        """
        windows = self.windows(images)
        scores = self.score_maps(windows)
        found = self.peaks(scores, radius_px=self.particle_px / 2 / self.step_px, floor=FLOOR)
        return [windows.in_image(one) for one in found]

    def windows(self, images: Tensor) -> Windows:
        """Return the boxes of ``(n, h, w)`` images; raises as :meth:`pick_many`."""
        return Windows(
            z_scored_micrographs(images),
            self.network.box_px,
            step_px=self.step_px,
            edge_px=self.particle_px / 2,
        )

    def score_maps(self, windows: Windows) -> Tensor:
        """Return the ``(n, gh, gw)`` scores of the boxes, ``-inf`` for those of unusual contrast."""
        if 0 in windows.shape:
            return windows.padded.new_empty(windows.shape)
        mean, std = windows.mean_and_std()
        if self.scoring.exact:
            scores = self._exact(windows, mean, std)
        else:
            scores = windows.slid(lambda tile: _oriented(self._ask, tile)[:, 0], self.tile_px)
        usual = std.flatten(1).median(1).values[:, None, None]
        unusual = (std < self.min_std * usual) | (std > self.max_std * usual)
        return scores.masked_fill_(unusual, -torch.inf)

    def _ask(self, tile: Tensor) -> Tensor:
        return self.ask(tile, step_px=self.step_px)

    def _ask_exactly(self, image: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        with repeatable():
            return ExactScores(self.ready, self.step_px, *mean.shape)(image, mean, std)

    def _exact(self, windows: Windows, mean: Tensor, std: Tensor) -> Tensor:
        scores = torch.empty_like(mean)
        for tile in windows.tiles(self.tile_px):
            for n, image in enumerate(windows.padded[:, *windows.seen(tile)]):
                scores[n, *tile] = _oriented(self._ask_exactly, image, mean[n, *tile], std[n, *tile])
        return scores


def _oriented(ask: Callable[..., Tensor], *maps: Tensor) -> Tensor:
    """Return the mean of the answers about maps in four orientations, turned back."""
    answers = [
        torch.rot90(ask(*(torch.rot90(one, turns, (-2, -1)) for one in maps)), -turns, (-2, -1))
        for turns in range(4)
    ]
    return torch.stack(answers).mean(0)
