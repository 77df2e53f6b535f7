"""The crYOLO picker: normalise, one pass of the network, boxes, non-maximum suppression."""

from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.cryolo.boxes import Boxes, decode, suppress
from cryopick_ray.pickers.cryolo.networks import ANSWERS, STRIDE, CryoloNetwork
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.weights import ModelCard

NORMALISATION = "cryolo-6-sigma"
LOW_PASS_SIGMA_PX = 1.5
"""Of the Gaussian low-pass: half of the amplitude is left at 0.125 per px, a period of 8 px."""
SPREAD = 6.0
"""Standard deviations that become 1 (crYOLO's normalisation)."""
MAD_TO_SIGMA = 1.4826
FLOOR = 0.02
"""Confidence of the lowest candidate; crYOLO keeps 0.1, for thresholds from there on."""
MAX_IOU = 0.3
TILE_PX = 1024


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``(smooth - mean) / (6 std)`` of an ``(h, w)`` image after a low-pass, clipped to [-1, 1].

    crYOLO low-passes the source micrograph at 0.1 of its sampling frequency, which is a period of 4 px
    here for a particle of 80 px there. This one belongs to the working scale and is stronger:
    with less noise the loss fell sooner. Grey values are first
    clipped, and mean and deviation taken, within six robust sigmas (1.4826 MAD) of the median, so
    that a hot pixel or a crack decides nothing.

    Raises
    ------
    MicrographError
        If the image is empty, constant or holds NaN or infinite values.
    """
    if not image.size or not np.isfinite(image).all():
        raise MicrographError("cannot normalise: the image is empty or holds NaN or infinite values")
    smooth = gaussian_filter(_without_outliers(image), LOW_PASS_SIGMA_PX, mode="mirror")
    usual = _without_outliers(smooth)
    mean, std = float(usual.mean(dtype=np.float64)), float(usual.std(dtype=np.float64))
    if not std > 0:
        raise MicrographError(f"cannot normalise: the image is constant ({mean:g})")
    scaled = (smooth - np.float32(mean)) / np.float32(SPREAD * std)
    return np.asarray(np.clip(scaled, -1, 1), np.float32)


def _without_outliers(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image with values beyond six robust sigmas of the median set to that limit."""
    median = np.median(image)
    reach = SPREAD * MAD_TO_SIGMA * np.median(np.abs(image - median))
    clipped = np.clip(image, median - reach, median + reach) if reach > 0 else image
    return np.asarray(clipped, np.float32)


class CryoloPicker(NetworkPicker[CryoloNetwork]):
    """A crYOLO network as a picker; scores are confidences, 0 to 1.

    A particle spans 32 px by default, two cells of the grid: a cell answers for one particle, so
    centres must not come closer than a cell. (crYOLO scales a micrograph to a short side of 1024 px
    whatever its particles; one of 3838 px with particles of 120 px comes to the same size.)

    Parameters
    ----------
    network, card
        The weights and what they are.
    particle_px
        Overrides the card's. The anchor is as large.
    device
        Where the network runs: ``auto``, or as torch names it.
    tile_px
        Side of the tiles that are read at once, a multiple of 32: decides memory, not boxes.
    """

    normalisation = NORMALISATION

    def __init__(
        self,
        network: CryoloNetwork,
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
            "picker": "cryolo",
            "architecture": self.card.architecture,
            "parameters": self.card.parameters,
            "weights": self.card.digest,
            "normalisation": self.card.normalisation,
            "particle_px": self.particle_px,
            "floor": FLOOR,
            "max_iou": MAX_IOU,
            "tile_px": self.tile_px,
            "precision": "float32",
        }

    def pick(self, image: NDArray[np.float32]) -> Candidates:
        """Return the centres of all boxes of an ``(h, w)`` image; see :meth:`find_boxes`."""
        boxes = self.find_boxes(image)
        return Candidates(boxes.x, boxes.y, boxes.score)

    def find_boxes(self, image: NDArray[np.float32]) -> Boxes:
        """Return the boxes of an ``(h, w)`` image above the floor, best first.

        None overlaps a better one by more than 0.3 (intersection over union), and none has its centre
        outside the image.

        Raises
        ------
        MicrographError
            If the image is empty, constant or holds NaN or infinite values.
        """
        height, width = image.shape
        answers = torch.from_numpy(self.answers(image))
        boxes = Boxes.of(decode(answers[None], self.particle_px)[0].flatten(1).numpy())
        inside = (boxes.x >= -0.5) & (boxes.x < width - 0.5) & (boxes.y >= -0.5) & (boxes.y < height - 0.5)
        return suppress(boxes[(boxes.score > FLOOR) & inside], MAX_IOU)

    def answers(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the raw ``(5, rows, columns)`` answers to an ``(h, w)`` image.

        The image is mirrored beyond its bottom and right edge up to a multiple of the network's stride.
        Tiles overlap by what decides an answer, so they answer as the whole image would.

        Raises
        ------
        MicrographError
            As :meth:`find_boxes`.
        """
        multiple, reach = self.network.multiple_px, self.network.reach_px
        beyond = [(0, -side % multiple) for side in image.shape]
        padded = torch.from_numpy(np.pad(normalise(image), beyond, mode="symmetric"))
        height, width = padded.shape
        answers = np.empty((ANSWERS, height // STRIDE, width // STRIDE), np.float32)
        # repeatable, and no TensorFloat-32 on a GPU
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            for y, x in product(range(0, height, self.tile_px), range(0, width, self.tile_px)):
                top, left = max(0, y - reach), max(0, x - reach)
                seen = padded[top : y + self.tile_px + reach, left : x + self.tile_px + reach]
                answer = self.network(seen[None, None].to(self.device))[0].cpu().numpy()
                row, column, side = y // STRIDE, x // STRIDE, self.tile_px // STRIDE
                inner = answer[:, (y - top) // STRIDE :, (x - left) // STRIDE :][:, :side, :side]
                answers[:, row : row + side, column : column + side] = inner
        return answers
