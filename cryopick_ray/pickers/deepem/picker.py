"""The DeepEM picker: slide a box over the image, ask about it in four orientations, report the peaks."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.deepem.networks import DeepEMNetwork
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.patches import NORMALISATION, Windows, z_scored, z_scored_micrograph
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.weights import ModelCard

BOX_DIAMETERS = 1.5
"""Side of the box in particle diameters, unless the lesson says otherwise."""
STRIDE = 1 / 16
"""Step of the box as a part of its side: half of the paper's (20 of 160 px), because peaks are then found
on the map of scores, and its step decides how well a centre is known."""
FLOOR = 0.05


class DeepEMPicker(NetworkPicker[DeepEMNetwork]):
    """A DeepEM network as a picker; scores are its outputs, 0..1, mean over four orientations.

    The paper suppresses twice in Chebyshev distance (KLH 70 and 40 px, 19S 100 and 40 px); here one
    suppression by half a diameter in true distance does.

    Parameters
    ----------
    network, card
        The weights and what they are.
    particle_px
        Overrides the card's.
    device
        Where the network runs: ``auto``, or as torch names it.
    min_std, max_std
        Boxes whose grey values have a standard deviation outside these multiples of the median box's
        are skipped: bare ice of another thickness, carbon, contamination.
    """

    normalisation = NORMALISATION

    def __init__(
        self,
        network: DeepEMNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        min_std: float = 0.4,
        max_std: float = 2.5,
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device)
        if not 0 <= min_std < 1 < max_std:
            raise UsageError(f"min_std {min_std} and max_std {max_std}: expected 0 <= min_std < 1 < max_std")
        self.stride_px = max(1, round(STRIDE * network.box_px))
        self.min_std, self.max_std = min_std, max_std

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the picks."""
        return {
            "picker": "deepem",
            "architecture": self.card.architecture,
            "parameters": self.card.parameters,
            "weights": self.card.digest,
            "normalisation": self.card.normalisation,
            "particle_px": self.particle_px,
            "stride_px": self.stride_px,
            "radius_px": self.particle_px / 2,
            "floor": FLOOR,
            "min_std": self.min_std,
            "max_std": self.max_std,
            "precision": "float32",
        }

    def pick(self, image: NDArray[np.float32]) -> Candidates:
        """Return all peaks above the floor of an ``(h, w)`` image, half a particle apart at least.

        Raises
        ------
        MicrographError
            If the image is constant or holds NaN or infinite values.
        """
        windows = Windows(
            z_scored_micrograph(image), self.network.box_px, edge_px=self.particle_px / 2, device=self.device
        )
        rows, columns = windows.grid(self.stride_px)
        scores = np.full(rows.shape, -np.inf, np.float32)
        if scores.size:
            # repeatable, and no TensorFloat-32 on a GPU
            exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
            with torch.inference_mode(), exact:
                std = windows.ask(rows, columns, lambda boxes: boxes.std((-2, -1), correction=0))
                usual = np.median(std)
                kept = (std >= self.min_std * usual) & (std <= self.max_std * usual)
                scores[kept] = windows.ask(rows[kept], columns[kept], self.probability)
        return windows.peaks(scores, self.stride_px, radius_px=self.particle_px / 2, floor=FLOOR)

    def probability(self, boxes: Tensor) -> Tensor:
        """Return the mean output ``(n,)`` over four orientations of ``(n, s, s)`` boxes."""
        seen = z_scored(boxes)[:, None]
        answers = [self.network(torch.rot90(seen, turns, (-2, -1))) for turns in range(4)]
        return torch.stack(answers).mean(0)[:, 0]
