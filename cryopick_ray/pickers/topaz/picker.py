"""The Topaz picker: normalise, score every pixel or every second one, report the peaks."""

from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.topaz.mixture import normalised
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.weights import ModelCard

TILE_PX = {"exact": 384, "fast": 1024}
"""Side of a tile of scores: resnet16 with 64 units, the largest, takes 0.6 to 0.8 GiB fast, 1.3 exactly."""
STEP = {"exact": 1, "fast": 2}
FLOOR = -6.0  # logit of the lowest candidate, as in ``topaz extract``
NORMALISATION = "topaz-gmm"
BETWEEN = (-1 / 16, 9 / 16, 9 / 16, -1 / 16)
"""Weights of a cubic through four equally spaced values, at their middle."""


class TopazPicker(NetworkPicker[TopazNetwork]):
    """A Topaz network as a picker; scores are logits, above 0 where a particle is more likely than not.

    Exact scoring asks the network about every pixel, as ``topaz extract`` does. Fast scoring asks about
    every second row and column, a quarter of the arithmetic, and puts a cubic through the answers.

    Parameters
    ----------
    network, card, particle_px, device, scoring
        As a :class:`~cryopick_ray.pickers.network_picker.NetworkPicker` takes them.
    tile_px
        Side of the tiles that are scored at once, even: decides memory, not scores.
    """

    kind = "topaz"
    normalisation = NORMALISATION
    spreads = True
    is_probability = False

    def __init__(
        self,
        network: TopazNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        scoring: Scoring = EXACT,
        tile_px: int | None = None,
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device, scoring=scoring)
        mode = "exact" if scoring.exact else "fast"
        self.tile_px, self.step_px = tile_px or TILE_PX[mode], min(STEP[mode], network.stride)

    def details(self) -> dict[str, Any]:
        """Return what of the settings is this kind of picker's own."""
        return {
            "radius_px": self.particle_px / 2,
            "floor": FLOOR,
            "step_px": self.step_px,
        }

    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return all peaks above the floor of ``(n, h, w)`` images, half a particle apart at least.

        Raises
        ------
        MicrographError
            If an image is empty, constant or holds NaN or infinite values.
        """
        return self.peaks(self.score_maps(images), radius_px=self.particle_px / 2, floor=FLOOR)

    def score_maps(self, images: Tensor) -> Tensor:
        """Return the ``(n, h, w)`` logits of ``(n, h, w)`` images.

        Raises
        ------
        MicrographError
            As :meth:`pick_many`.
        """
        _, height, width = images.shape
        reach, step = self.network.receptive_field_px - 1, self.step_px
        padded = functional.pad(normalised(images), [reach // 2] * 4)[:, None]
        scores = images.new_empty(len(images), -(-height // step), -(-width // step))
        for y, x in product(range(0, height, self.tile_px), range(0, width, self.tile_px)):
            seen = padded[..., y : y + self.tile_px + reach, x : x + self.tile_px + reach]
            answer = self.ask(seen, step=step)
            scores[:, y // step :, x // step :][:, : answer.shape[1], : answer.shape[2]] = answer
        whole: Tensor = doubled(scores)[:, :height, :width] if step == 2 else scores
        return whole


def doubled(maps: Tensor) -> Tensor:
    """Return ``(n, 2 h, 2 w)`` maps through ``(n, h, w)`` ones, which stay at the even places; cubic between.

    Beyond its edges a map goes on with its outermost values.
    """
    for axis, sides in ((1, [0, 0, 1, 2]), (2, [1, 2])):
        wide = functional.pad(maps, sides, mode="replicate")
        shifted = (wide.narrow(axis, start, maps.shape[axis]) for start in range(len(BETWEEN)))
        between = torch.stack([weight * part for weight, part in zip(BETWEEN, shifted, strict=True)]).sum(0)
        maps = torch.stack([maps, between], axis + 1).flatten(axis, axis + 1)
    return maps
