"""The network, and how it picks."""

from typing import Any

import torch
from torch import Tensor, nn

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.patches import z_scored_micrographs
from cryopick_ray.pickers.picker import Candidates

KERNEL_PX = 17
MAX_KERNELS = 256
FLOOR = 0.05


class DiscNetwork(nn.Module):
    """From ``(n, 1, h, w)`` images to ``(n, 1, h, w)`` logits of a particle's centre."""

    def __init__(self, architecture: str, kernels: int) -> None:
        super().__init__()
        if not 1 <= kernels <= MAX_KERNELS:
            raise ModelError(f"{architecture} with {kernels} kernels; expected 1 to {MAX_KERNELS}")
        self.look = nn.Conv2d(1, kernels, KERNEL_PX, padding=KERNEL_PX // 2)
        self.judge = nn.Conv2d(kernels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        answer: Tensor = self.judge(torch.relu(self.look(x)))
        return answer


class DiscPicker(NetworkPicker[DiscNetwork]):
    """Peaks of the probability of a centre, at least half a diameter apart."""

    kind = "disc"
    normalisation = "z-score"

    def details(self) -> dict[str, Any]:
        """Return what else decides the picks."""
        return {"floor": FLOOR}

    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return the candidates of each image."""
        answers = self.ask(z_scored_micrographs(images)[:, None])[:, 0]
        return self.peaks(torch.sigmoid(answers).contiguous(), radius_px=self.particle_px / 2, floor=FLOOR)
