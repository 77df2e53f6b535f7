"""The Topaz picker: normalise, score every pixel in tiles, report the peaks."""

from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.peaks import find_peaks
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.topaz.normalise import normalise
from cryopick_ray.pickers.weights import ModelCard

TILE_PX = 512  # side of a tile of scores: resnet16 with 64 units takes 0.5 GiB
FLOOR = -6.0  # logit of the lowest candidate, as in ``topaz extract``
NORMALISATION = "topaz-gmm"


class TopazPicker(NetworkPicker[TopazNetwork]):
    """A Topaz network as a picker; scores are logits, above 0 where a particle is more likely than not.

    Parameters
    ----------
    network, card
        The weights and what they are.
    particle_px
        Overrides the card's.
    device
        Where the network runs: ``auto``, or as torch names it.
    tile_px
        Side of the tiles that are scored at once: decides memory, not scores.
    """

    normalisation = NORMALISATION

    def __init__(
        self,
        network: TopazNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        tile_px: int = TILE_PX,
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device)
        self.tile_px = tile_px

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the picks."""
        return {
            "picker": "topaz",
            "architecture": self.card.architecture,
            "parameters": self.card.parameters,
            "weights": self.card.digest,
            "normalisation": self.card.normalisation,
            "particle_px": self.particle_px,
            "radius_px": self.particle_px / 2,
            "floor": FLOOR,
            "tile_px": self.tile_px,
            "precision": "float32",
        }

    def pick(self, image: NDArray[np.float32]) -> Candidates:
        """Return all peaks above the floor of an ``(h, w)`` image, half a particle apart at least."""
        return find_peaks(self.score_map(image), radius_px=self.particle_px / 2, floor=FLOOR)

    def score_map(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the ``(h, w)`` logits of an ``(h, w)`` image.

        Raises
        ------
        MicrographError
            If the image is empty, constant or holds NaN or infinite values.
        """
        height, width = image.shape
        reach = self.network.receptive_field_px - 1
        padded = torch.from_numpy(np.pad(normalise(image), reach // 2))
        scores = np.empty((height, width), np.float32)
        corners = product(range(0, height, self.tile_px), range(0, width, self.tile_px))
        # repeatable, and no TensorFloat-32 on a GPU: its scores are off by more than 1e-3
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            for y, x in corners:
                tile = np.s_[y : y + self.tile_px, x : x + self.tile_px]
                seen = padded[y : y + self.tile_px + reach, x : x + self.tile_px + reach]
                scores[tile] = self.network(seen[None, None].to(self.device), dense=True)[0].cpu().numpy()
        return scores
