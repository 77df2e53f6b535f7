"""The DeepPicker picker: slide a patch over the image, report the peaks of P(particle)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.pickers.deeppicker.networks import PATCH_PX, DeepPickerNetwork
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.patches import NORMALISATION, Windows, z_scored, z_scored_micrograph
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.weights import ModelCard

PARTICLE_PX = PATCH_PX / 1.5
"""The patch is a box of 1.5 diameters: enough ice around to tell a particle from its neighbour's edge,
and no resizing, for the image comes at the scale where that box is the network's 64 px."""
STRIDE = 0.1
"""Step of the patch in diameters: about the paper's 4 px on micrographs binned by 3 (TRPV1: 180 px / 3)."""
FLOOR = 0.05


class DeepPickerPicker(NetworkPicker[DeepPickerNetwork]):
    """A DeepPicker network as a picker; scores are probabilities of a particle.

    Suppression is half a diameter: within the authors' 0.3 to 0.4 of a box of 1.5 diameters. Their
    refinement at a step of one pixel is left out: it finds centres no better than the peak's vertex does,
    at twice the time.

    Parameters
    ----------
    network, card
        The weights and what they are.
    particle_px
        Overrides the card's.
    device
        Where the network runs: ``auto``, or as torch names it.
    """

    normalisation = NORMALISATION

    def __init__(
        self,
        network: DeepPickerNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device)
        self.stride_px = max(1, round(STRIDE * self.particle_px))

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the picks."""
        return {
            "picker": "deeppicker",
            "architecture": self.card.architecture,
            "parameters": self.card.parameters,
            "weights": self.card.digest,
            "normalisation": self.card.normalisation,
            "particle_px": self.particle_px,
            "stride_px": self.stride_px,
            "radius_px": self.particle_px / 2,
            "floor": FLOOR,
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
            z_scored_micrograph(image), PATCH_PX, edge_px=self.particle_px / 2, device=self.device
        )
        # repeatable, and no TensorFloat-32 on a GPU
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            scores = windows.ask(*windows.grid(self.stride_px), self.probability)
        return windows.peaks(scores, self.stride_px, radius_px=self.particle_px / 2, floor=FLOOR)

    def probability(self, patches: Tensor) -> Tensor:
        """Return P(particle) ``(n,)`` of ``(n, 64, 64)`` patches."""
        logits: Tensor = self.network(z_scored(patches)[:, None])
        return torch.softmax(logits, 1)[:, 1]
