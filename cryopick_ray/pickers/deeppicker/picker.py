"""The DeepPicker picker: slide a patch over the image, report the peaks of P(particle)."""

import math
from typing import Any

import torch
from torch import Tensor

from cryopick_ray.pickers.deeppicker.networks import PATCH_PX, DeepPickerNetwork
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.patches import NORMALISATION, Windows, z_scored_micrographs
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.weights import ModelCard

PARTICLE_PX = PATCH_PX / 1.5
"""The patch is a box of 1.5 diameters: enough ice around to tell a particle from its neighbour's edge,
and no resizing, for the image comes at the scale where that box is the network's 64 px."""
STRIDE = 0.1
"""Step of the patch in diameters: about the paper's 4 px on micrographs binned by 3 (TRPV1: 180 px / 3)."""
SMOOTHING = 0.1
"""Sigma, in diameters, of the Gaussian that smooths the score map: a hollow particle scores high all around
its middle; the paper has none. A peak within half a step of the outermost patches moves to those."""
FLOOR = 0.05
TILE_PX = 768
"""Side of the parts of an image that are scored at once, fast: larger ones leave a CPU's cache."""
BATCH = {"cpu": 64, "cuda": 8192}
"""Patches scored at once: on a CPU more leave a core's cache and take up to a third longer."""


class DeepPickerPicker(NetworkPicker[DeepPickerNetwork]):
    """A DeepPicker network as a picker; scores are probabilities of a particle.

    Exact scoring z-scores every patch by its own grey values, as the authors do, and runs the network on
    each. Fast scoring z-scores each pixel by the patch around it, so that neighbouring patches share their
    convolutions.

    Suppression is half a diameter: within the authors' 0.3 to 0.4 of a box of 1.5 diameters. Their
    refinement at a step of one pixel is left out: it finds centres no better than the peak's vertex does,
    at twice the time.

    Parameters
    ----------
    network, card, particle_px, device, scoring
        As a :class:`~cryopick_ray.pickers.network_picker.NetworkPicker` takes them.
    """

    kind = "deeppicker"
    normalisation = NORMALISATION
    spreads = True
    smoothing = SMOOTHING

    def __init__(
        self,
        network: DeepPickerNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        scoring: Scoring = EXACT,
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device, scoring=scoring)
        # of the powers of two, which the poolings divide, the nearest
        self.step_px = 2 ** max(0, round(math.log2(STRIDE * self.particle_px)))

    def details(self) -> dict[str, Any]:
        """Return the settings that this kind of picker adds."""
        return {
            "step_px": self.step_px,
            "radius_px": self.particle_px / 2,
            "smoothing": self.smoothing,
            "floor": FLOOR,
        }

    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return all peaks above the floor of ``(n, h, w)`` images, half a particle apart at least.

        Raises
        ------
        MicrographError
            If an image is constant or holds NaN or infinite values.
        """
        windows = self.windows(images)
        size = self.particle_px / self.step_px
        candidates = self.peaks(self.score_maps(windows), radius_px=size / 2, floor=FLOOR)
        return [windows.in_image(of_image) for of_image in candidates]

    def windows(self, images: Tensor) -> Windows:
        """Return the patches of ``(n, h, w)`` images; raises as :meth:`pick_many`."""
        return Windows(
            z_scored_micrographs(images), PATCH_PX, step_px=self.step_px, edge_px=self.particle_px / 2
        )

    def score_maps(self, windows: Windows) -> Tensor:
        """Return the ``(n, gh, gw)`` scores of the patches."""
        if 0 in windows.shape:
            return windows.padded.new_empty(windows.shape)
        if self.scoring.exact:
            return self._exact(windows)
        return windows.slid(lambda tile: _probability(self.ask(tile, step_px=self.step_px)), TILE_PX)

    def _exact(self, windows: Windows) -> Tensor:
        patches = windows.all()
        mean, std = (values[..., None, None] for values in windows.mean_and_std())
        scores = patches.new_empty(mean.numel())
        for indices in torch.split(torch.arange(len(scores), device=scores.device), BATCH[self.device.type]):
            at = torch.unravel_index(indices, windows.shape)
            normalised = (patches[at] - mean[at]).div_(std[at])
            scores[indices] = _probability(self.ask(normalised[:, None]))
        return scores.view(windows.shape)


def _probability(logits: Tensor) -> Tensor:
    return torch.softmax(logits, 1)[:, 1]
