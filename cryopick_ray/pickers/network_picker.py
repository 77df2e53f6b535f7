"""What pickers that are a network and its card have in common."""

from abc import ABC, abstractmethod
from copy import copy, deepcopy
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cryopick_ray.errors import ModelError, UsageError, brief
from cryopick_ray.pickers.device.device_peaks import find_peaks_on_device
from cryopick_ray.pickers.device.usable_device import repeatable, usable_device
from cryopick_ray.pickers.folding import fold_batch_norm
from cryopick_ray.pickers.fused import can_fuse, fuse
from cryopick_ray.pickers.peaks import find_peaks
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.smoothing import smoothed
from cryopick_ray.pickers.weights import ModelCard
from cryopick_ray.units import is_positive

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class NetworkPicker(ABC, Generic[NetworkT]):
    """A network that is ready to answer, on its device.

    A picker of this kind normalises, asks its network and finds peaks in torch, so that the same code
    runs on a CPU and on a GPU, where nothing larger than the candidates comes back.

    Parameters
    ----------
    network, card
        The weights and what they are.
    particle_px
        Overrides the card's.
    device
        Where the network runs: ``auto``, or as torch names it.
    scoring
        Exactly, or fast. Exact answers take float32.

    Attributes
    ----------
    network
        The network as it was taught.
    batch
        Micrographs to give :meth:`pick_many` at once on a GPU, at most.

    Raises
    ------
    ModelError
        If the card is of another kind of model.
    UsageError
        If the device is not there or the size is none.
    """

    wants_gpu = True
    is_probability = True
    can_be_calibrated = False
    kind: ClassVar[str]
    """The picker's name in :meth:`settings`."""
    normalisation: ClassVar[str]
    """The one that the picker does; the card must name it."""
    spreads: ClassVar[bool] = False
    """Whether places beside a centre score high, too: peaks of a smoothed map are then nearer to centres."""
    tells_polarity: ClassVar[bool] = False
    """Whether it sees so much less in a negative that it tells whether particles are dark."""
    smoothing = 0.0
    """Sigma, in diameters, of the Gaussian that maps of scores go through before their peaks are found."""

    def __init__(
        self,
        network: NetworkT,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        scoring: Scoring = EXACT,
    ) -> None:
        if card.normalisation != self.normalisation:
            raise ModelError(
                f"model {card.name} has normalisation {brief(card.normalisation)}; "
                f"expected {self.normalisation!r}"
            )
        self.name, self.threshold, self.batch = card.name, card.threshold, card.batch
        self.calibrated = card.calibration is not None
        self.particle_px = card.particle_px if particle_px is None else particle_px
        if not is_positive(self.particle_px):
            raise UsageError(f"`particle_px` {particle_px}: expected a size in pixels above 0")
        self.card = card
        refuses = card.lowest_precision == "float32"
        self.scoring = replace(scoring, precision="float32") if refuses else scoring
        self.device = usable_device(device)
        self.network: NetworkT = network.eval()

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the picks."""
        calibration = {} if self.card.calibration is None else {"calibration": list(self.card.calibration)}
        return {
            "picker": self.kind,
            "architecture": self.card.architecture,
            "parameters": self.card.parameters,
            "weights": self.card.digest,
            "normalisation": self.normalisation,
            "particle_px": self.particle_px,
            "scoring": "exact" if self.scoring.exact else "fast",
            "precision": self.scoring.precision,
            "batch": self.batch,
            **calibration,
        } | self.details()

    def smoothed(self, sigma: float) -> Self:
        """Return the picker of peaks of its score maps through a Gaussian, ``sigma`` in diameters."""
        one = copy(self)
        one.smoothing = sigma
        return one

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """Return what of the settings is this kind of picker's own."""

    @abstractmethod
    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return the candidates of ``(n, h, w)`` float32 images on the picker's device.

        Raises
        ------
        MicrographError
            If one of them cannot be normalised.
        """

    def pick(self, image: NDArray[np.float32]) -> Candidates:
        """Return the candidates of an ``(h, w)`` image; see :meth:`pick_many`."""
        stack = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None]
        with torch.inference_mode():
            return self.pick_many(stack.to(self.device))[0]

    @cached_property
    def ready(self) -> NetworkT:
        """The network as it is asked: on the device, in the scoring's precision, batch norm folded in.

        Fast on a CPU, what follows a convolution is done with it.
        """
        network, dtype = fold_batch_norm(deepcopy(self.network)), self.scoring.dtype
        if not self.scoring.exact and can_fuse(self.device, dtype):
            fuse(network)
        network = network.to(self.device, dtype)
        # half to four fifths of the time on a CPU; torch's own hints lack the argument
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def ask(self, x: Tensor, **options: Any) -> Tensor:
        """Return the network's float32 answer; the same one each time for the same ``x``."""
        with repeatable():
            answer: Tensor = self.ready(x.to(self.scoring.dtype), **options)
            return answer.float()

    def peaks(self, maps: Tensor, *, radius_px: float, floor: float) -> list[Candidates]:
        """Return the peaks of ``(n, h, w)`` float32 maps, found where the maps lie.

        Parameters
        ----------
        radius_px
            Suppression radius, half a diameter, in pixels of the maps.
        """
        maps = smoothed(maps, self.smoothing * 2 * radius_px, floor=floor)
        if maps.device.type == "cpu":
            return [find_peaks(one.numpy(), radius_px=radius_px, floor=floor) for one in maps]
        return find_peaks_on_device(maps, radius_px=radius_px, floor=floor)
