"""The crYOLO picker: normalise, one pass of the network, boxes, non-maximum suppression."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.cryolo.grid_boxes import GridBoxes, decode, suppress
from cryopick_ray.pickers.cryolo.networks import CryoloNetwork
from cryopick_ray.pickers.grey_values import centre_and_sigma, refuse_without_contrast, sampled
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.smoothing import smoothed_along
from cryopick_ray.pickers.tiles import answer_in_tiles, extended, extended_to_multiple, tile_px_on
from cryopick_ray.pickers.weights import ModelCard

NORMALISATION = "cryolo-6-sigma"
LOW_PASS_SIGMA_PX = 1.5
"""Of the Gaussian low-pass: half of the amplitude is left at 0.125 per px, a period of 8 px."""
LOW_PASS_REACH_PX = 6
"""Four sigmas, where that Gaussian ends."""
BAND_PX = 2**17
"""Pixels that a CPU smooths at once: what its caches hold. Decides no value."""
SPREAD = 6.0
"""Standard deviations that become 1 (crYOLO's normalisation)."""
FLOOR = 0.02
"""Confidence of the lowest candidate; crYOLO keeps 0.1, for thresholds from there on."""
MAX_IOU = 0.3


class CryoloPicker(NetworkPicker[CryoloNetwork]):
    """A crYOLO network as a picker; scores are confidences, 0 to 1.

    A particle spans 32 px by default, two cells of the grid: a cell answers for one particle, so
    centres must not come closer than a cell. (crYOLO scales a micrograph to a short side of 1024 px
    whatever its particles; one of 3838 px with particles of 120 px comes to the same size.)

    Parameters
    ----------
    network, card, particle_px, device, scoring
        As a :class:`~cryopick_ray.pickers.network_picker.NetworkPicker` takes them. The anchor is as
        large as a particle.
    tile_px
        Side of the tiles that are read at once, a multiple of 32: decides memory, not boxes.
    """

    kind = "cryolo"
    normalisation = NORMALISATION

    def __init__(
        self,
        network: CryoloNetwork,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        scoring: Scoring = EXACT,
        tile_px: int | None = None,
    ) -> None:
        super().__init__(network, card, particle_px=particle_px, device=device, scoring=scoring)
        self.tile_px = tile_px or tile_px_on(self.device)

    def details(self) -> dict[str, Any]:
        """Return what of the settings is this kind of picker's own."""
        return {"floor": FLOOR, "max_iou": MAX_IOU}

    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return the centres and sizes of all boxes of ``(n, h, w)`` images; see :meth:`find_boxes`."""
        return [
            Candidates(
                boxes.x, boxes.y, boxes.score, more={"box_w_px": boxes.width, "box_h_px": boxes.height}
            )
            for boxes in self.find_boxes(images)
        ]

    def find_boxes(self, images: Tensor) -> list[GridBoxes]:
        """Return the boxes of each of ``(n, h, w)`` images above the floor, best first.

        None overlaps a better one by more than 0.3 (intersection over union), and none has its centre
        outside the image.

        Raises
        ------
        MicrographError
            If an image is empty, constant or holds NaN or infinite values.
        """
        height, width = images.shape[1:]
        boxes = decode(self.answers(images), self.particle_px).flatten(2).movedim(1, 0)
        x, y, _, _, score = boxes
        inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
        kept = inside & (score > FLOOR)
        rows, counts = boxes[:, kept].cpu(), kept.sum(dim=1).tolist()
        return [suppress(GridBoxes.of(some.numpy()), MAX_IOU) for some in torch.split(rows, counts, dim=1)]

    def answers(self, images: Tensor) -> Tensor:
        """Return the raw ``(n, 5, rows, columns)`` answers to ``(n, h, w)`` images.

        An image is mirrored beyond its bottom and right edge up to a multiple of the network's stride.

        Raises
        ------
        MicrographError
            As :meth:`find_boxes`.
        """
        multiple_px = self.network.multiple_px
        return answer_in_tiles(
            self.ask,
            extended_to_multiple(normalise(images), multiple_px),
            multiple_px=multiple_px,
            rim_px=self.network.reach_px,
            tile_px=self.tile_px,
        )


def normalise(images: Tensor) -> Tensor:
    """Return ``(smooth - mean) / (6 std)`` of ``(n, h, w)`` images after a low-pass, clipped to [-1, 1].

    crYOLO low-passes the source micrograph at 0.1 of its sampling frequency, which is a period of 4 px
    here for a particle of 80 px there. This one belongs to the working scale and is stronger:
    with less noise the loss fell sooner. Grey values are first
    clipped, and mean and deviation taken, within six robust sigmas (1.4826 MAD) of the median, so
    that a hot pixel or a crack decides nothing.

    Raises
    ------
    MicrographError
        If an image is empty, constant or holds NaN or infinite values.
    """
    refuse_without_contrast(images)
    smooth = low_passed(images, *_usual_range(images))
    low, high = (limit[:, 0] for limit in _usual_range(smooth))
    usual = sampled(smooth).clamp(low, high).double()
    mean, std = (
        one.float()[..., None]
        for one in (usual.mean(1, keepdim=True), usual.std(1, correction=0, keepdim=True))
    )
    if not bool((std > 0).all()):
        raise MicrographError("cannot normalise: the image is constant but for outliers")
    return smooth.sub_(mean).mul_(1 / (SPREAD * std)).clamp_(-1, 1)


def low_passed(images: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return ``(n, h, w)`` images through a Gaussian of 1.5 px, mirrored at their edges.

    Parameters
    ----------
    images
        The grey values.
    low, high
        What they are clipped to first, ``(n, 1, 1)``.
    """
    low_pass, margin = (LOW_PASS_SIGMA_PX, LOW_PASS_REACH_PX), (LOW_PASS_REACH_PX, LOW_PASS_REACH_PX)
    mirrored = torch.from_numpy(np.pad(np.arange(images.shape[1]), margin, "reflect")).to(images.device)
    height, width = images.shape[1:]
    rows = max(32, BAND_PX // width) if images.device.type == "cpu" else height
    smooth = torch.empty_like(images)
    for top in range(0, height, rows):
        seen = mirrored[top : top + rows + 2 * LOW_PASS_REACH_PX]
        band = smoothed_along(images.index_select(1, seen).clamp_(low, high), 1, *low_pass)
        smooth[:, top : top + rows] = smoothed_along(extended(band, 2, margin, "reflect"), 2, *low_pass)
    return smooth


def _usual_range(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the ends of six robust sigmas around the median, ``(n, 1, 1)``; all, where sigma is 0."""
    centre, sigma = centre_and_sigma(sampled(images))
    reach = torch.where(sigma > 0, SPREAD * sigma, torch.inf)
    return (centre - reach)[..., None], (centre + reach)[..., None]
