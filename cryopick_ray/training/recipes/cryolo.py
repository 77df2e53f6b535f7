"""How crYOLO is taught (Wagner et al. 2019, Commun. Biol. 2:218, and its public manual)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.cryolo.grid_boxes import EMPTY, HELD, UNKNOWN, cells_of, decode, encode, iou
from cryopick_ray.pickers.cryolo.networks import STRIDE, CryoloNetwork
from cryopick_ray.pickers.cryolo.picker import NORMALISATION, normalise
from cryopick_ray.training.data.augment import cryolo_chain
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.data.windows import Window
from cryopick_ray.training.recipes.learning_rates import half_cosine
from cryopick_ray.training.recipes.recipe import Example, Slot

OBJECT_WEIGHT = 5.0
EMPTY_WEIGHT = 1.0
FREE_IOU = 0.6
"""An empty cell whose box overlaps a particle's by this much is not taught to be empty."""
ZOOM = 1.1
MULTIPLE_PX = 32
"""Crops are multiples of it, so that every architecture takes them."""


@dataclass(frozen=True)
class CryoloRecipe:
    """Boxes on crops of a micrograph; labels give centres, so a box is ``particle_px`` a side.

    The defaults are the paper's, for a GPU. In minutes on a CPU a network of width 8 learns from crops
    of 256 px in batches of 2 at a learning rate of 5e-4; at 2e-3 it had not begun to after 300 steps.

    Attributes
    ----------
    architecture, width
        Which network; see :class:`CryoloNetwork`.
    particle_px
        Pixels that a particle spans: also the anchor.
    crop_px
        Side of a crop, a multiple of 32 (the paper shows whole micrographs of 1024 px).
    batch, learning_rate
        Of the optimiser, Adam.
    warm_up
        Epochs in which the boxes of empty cells are pulled to the anchor in the cell's middle.
    plateau
        Epochs without a better validation loss after which the learning rate falls to a tenth.
    own_greys
        Whether crops' grey values are changed as in the paper; not unless asked where ``general`` changes
        those of whole micrographs: both together blur particles away.
    """

    architecture: str = "cryolo-16"
    width: int = 32
    particle_px: float = 32.0
    crop_px: int = 384
    batch: int = 4
    learning_rate: float = 1e-4
    warm_up: int = 3
    plateau: int = 6
    own_greys: bool = True
    normalisation: str = field(default=NORMALISATION, init=False)
    validation_chooses: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        """Refuse crops that the network cannot take."""
        if self.crop_px < MULTIPLE_PX or self.crop_px % MULTIPLE_PX:
            raise UsageError(f"crop_px {self.crop_px}: expected a multiple of {MULTIPLE_PX}")

    @property
    def parameters(self) -> dict[str, int]:
        """What the network is built with."""
        return {"width": self.width}

    def build(self) -> CryoloNetwork:
        """Return a fresh network."""
        return CryoloNetwork(self.architecture, self.width)

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalise a whole micrograph as the picker does."""
        prepared: NDArray[np.float32] = normalise(torch.from_numpy(np.array(image))[None])[0].numpy()
        return prepared

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Cut a crop from anywhere, turned, flipped, half of them enlarged by up to 1.1.

        The target is what :func:`~cryopick_ray.pickers.cryolo.grid_boxes.encode` says of the crop's cells;
        cells of unsure places and beyond the micrograph are not taught.
        """
        zoom = max(1.0, rng.uniform(2 - ZOOM, ZOOM))
        height, width = micrograph.image.shape
        x, y = (self._middle(side, zoom, rng) for side in (width, height))
        window = Window.oriented(x, y, self.crop_px, rng, zoom=zoom)
        grid = (self.crop_px // STRIDE, self.crop_px // STRIDE)
        particles = window.locate(micrograph.particles)
        target = encode(
            particles, self.particle_px * micrograph.scale * zoom, grid, anchor_px=self.particle_px
        )
        unknown = ~window.cells_within(micrograph.image.shape, STRIDE)
        column, row, _ = cells_of(window.locate(micrograph.unsure), grid)
        unknown[row, column] = True
        target[4][unknown & (target[4] == EMPTY)] = UNKNOWN
        image = window.cut(micrograph.image)
        return Example(cryolo_chain(image, rng) if self.own_greys else image, target)

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return YOLO's loss, a sum over the cells and a mean over the examples.

        In a cell with a particle: the squared errors of x, y, width and height in cells, and 5 times
        that of the confidence, which should be the overlap (intersection over union) with the
        particle's box. In an empty cell whose box overlaps no particle's by 0.6 or more: the squared
        confidence. During the warm-up also the distance of empty cells' boxes from the anchor.
        """
        boxes = decode(answer, self.particle_px)
        held, empty = target[:, 4] == HELD, target[:, 4] == EMPTY
        away = ((boxes[:, :4] - target[:, :4]) / STRIDE).square().sum(1)
        with torch.no_grad():
            overlap = iou(boxes.movedim(1, 0), target.movedim(1, 0))
            best = torch.stack([_best_iou(*pair) for pair in zip(boxes, target, strict=True)])
        confidence = boxes[:, 4]
        placed = held | empty if epoch < self.warm_up else held
        loss = (
            placed * away
            + OBJECT_WEIGHT * held * (overlap - confidence).square()
            + EMPTY_WEIGHT * (empty & (best < FREE_IOU)) * confidence.square()
        )
        return loss.sum() / len(answer)

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return Adam."""
        return Adam(network.parameters(), learning_rate)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Fall to a tenth each time that the validation loss stayed on a plateau, and along a half cosine.

        The paper has the plateaus alone: trainings there are long enough to meet them.
        """
        factor, best, waited = half_cosine(epoch, epochs), np.inf, 0
        for loss in validation:
            waited = 0 if loss < best else waited + 1
            best = min(best, loss)
            if waited == self.plateau:
                factor, waited = factor / 10, 0
        return factor

    def _middle(self, side: int, zoom: float, rng: np.random.Generator) -> float:
        """Return where a crop's middle lies along one axis: inside if the micrograph is large enough."""
        crop = min(side, int(np.ceil(self.crop_px / zoom)))
        return int(rng.integers(side - crop + 1)) + (crop - 1) / 2


def _best_iou(boxes: Tensor, target: Tensor) -> Tensor:
    """Return each cell's best overlap with a particle's box, ``(gh, gw)``; 0 without particles."""
    truth = target[:4, target[4] == HELD]
    if not truth.shape[1]:
        return torch.zeros_like(boxes[0])
    return iou(boxes[:4, ..., None], truth[:, None, None]).amax(-1)
