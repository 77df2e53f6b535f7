"""The heat-map picker: grey values, one pass of the network in overlapping tiles, peaks."""

from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.heatmap.networks import MULTIPLE, STRIDE, HeatmapNetwork
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.peaks import find_peaks
from cryopick_ray.pickers.picker import Candidates

NORMALISATION = "flattened"
BACKGROUND_PX = 48.0
"""Sigma of the Gaussian that is taken for the background: uneven ice, not particles of 20 px."""
CLIP = 6.0
"""Standard deviations beyond which grey values carry nothing about particles."""
TILE_PX = 1024
OVERLAP_PX = 96
"""Rim of a tile whose answers are not used: it sees too little beyond."""
FLOOR = 0.02
"""Lowest score of a candidate."""
SUPPRESSION = 0.5
"""Suppression radius in diameters."""


class HeatmapPicker(NetworkPicker[HeatmapNetwork]):
    """A heat-map network as a picker; scores are its probabilities of a centre, 0 to 1."""

    normalisation = NORMALISATION

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the picks."""
        return {
            "picker": "heatmap",
            "architecture": self.card.architecture,
            "parameters": self.card.parameters,
            "weights": self.card.digest,
            "normalisation": self.card.normalisation,
            "particle_px": self.particle_px,
            "suppression": SUPPRESSION,
            "floor": FLOOR,
            "tile_px": TILE_PX,
            "overlap_px": OVERLAP_PX,
            "precision": "float32",
        }

    def pick(self, image: NDArray[np.float32]) -> Candidates:
        """Return all peaks above the floor of an ``(h, w)`` image, half a particle apart at least.

        The outermost cells of the map are no peaks: what rises towards the edge is most often a particle
        whose centre lies beyond it.
        """
        score = np.pad(self.score_map(image)[1:-1, 1:-1], 1, constant_values=-np.inf)
        found = find_peaks(score, radius_px=SUPPRESSION * self.particle_px / STRIDE, floor=FLOOR)
        return Candidates(_to_image(found.x), _to_image(found.y), found.score)

    def score_map(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of a centre on the grid of every second pixel.

        The score at ``[i, j]`` belongs to ``x = 2 j + 0.5, y = 2 i + 0.5`` of the ``(h, w)`` image.

        Raises
        ------
        MicrographError
            If the image is empty, constant or holds NaN or infinite values.
        """
        flat = flatten(image)
        height, width = (-(-side // MULTIPLE) * MULTIPLE for side in image.shape)
        padded = np.pad(flat, ((0, height - image.shape[0]), (0, width - image.shape[1])), mode="symmetric")
        scores = np.empty((height // STRIDE, width // STRIDE), np.float32)
        step = TILE_PX - 2 * OVERLAP_PX
        side = step // STRIDE
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            for y, x in product(range(0, height, step), range(0, width, step)):
                top, left = max(y - OVERLAP_PX, 0), max(x - OVERLAP_PX, 0)
                seen = padded[top : y + step + OVERLAP_PX, left : x + step + OVERLAP_PX]
                tile = torch.from_numpy(seen)[None, None].to(self.device)
                answer = torch.sigmoid(self.network(tile))[0, 0].cpu().numpy()
                own = answer[(y - top) // STRIDE :, (x - left) // STRIDE :][:side, :side]
                scores[y // STRIDE :, x // STRIDE :][: own.shape[0], : own.shape[1]] = own
        return scores[: -(-image.shape[0] // STRIDE), : -(-image.shape[1] // STRIDE)].copy()


def flatten(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an ``(h, w)`` image without its background, standard deviation 1, outliers clipped.

    The background is the image through a Gaussian of 48 px; the standard deviation is 1.4826 times the
    median absolute deviation, so that carbon and ice do not decide it.

    Raises
    ------
    MicrographError
        If the image is empty, constant or holds NaN or infinite values.
    """
    if not image.size or not np.isfinite(image).all():
        raise MicrographError("cannot normalise: the image is empty or holds NaN or infinite values")
    flat = image - gaussian_filter(image, BACKGROUND_PX, mode="reflect", truncate=3)
    spread = 1.4826 * float(np.median(np.abs(flat - np.median(flat))))
    if not spread > 0:
        raise MicrographError("cannot normalise: more than half of the image is constant")
    clipped: NDArray[np.float32] = np.clip(flat / np.float32(spread), -CLIP, CLIP)
    return clipped


def _to_image(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    return (STRIDE * (grid + np.float32(0.5)) - np.float32(0.5)).astype(np.float32)
