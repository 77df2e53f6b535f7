"""The base of pickers that run a network: device, precision, settings and peaks."""

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
    """A picker that runs a network on its device.

    Normalisation, network and peaks are in torch, so that the same code runs on a CPU and on a GPU, where
    only the candidates come back.

    Parameters
    ----------
    network, card
        The network and the card of its weights.
    particle_px
        Overrides the card's.
    device
        Where the network runs: ``auto``, or as torch names it.
    scoring
        Exact or fast. Exact scoring is in float32.

    Attributes
    ----------
    network
        The network as trained.
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
    """Name of the picker's normalisation; the card must have the same."""
    spreads: ClassVar[bool] = False
    """Whether scores are high all over a particle: peaks of a smoothed map are then nearer to centres."""
    tells_polarity: ClassVar[bool] = False
    """Whether it finds so much less in a negative that it can tell the polarity of particles."""
    smoothing = 0.0
    """Sigma, in diameters, of the Gaussian that score maps are smoothed by before peaks are found."""

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
        """Return this picker with score maps smoothed by a Gaussian of ``sigma`` diameters."""
        picker = copy(self)
        picker.smoothing = sigma
        return picker

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """Return the settings that this kind of picker adds."""

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
        """The network for inference: on the device, in the scoring's precision, batch norm folded in.

        For fast scoring on a CPU, convolutions are fused with their activations.
        """
        network, dtype = fold_batch_norm(deepcopy(self.network)), self.scoring.dtype
        if not self.scoring.exact and can_fuse(self.device, dtype):
            fuse(network)
        network = network.to(self.device, dtype)
        # half to four fifths of the time on a CPU; torch's own hints lack the argument
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def ask(self, x: Tensor, **options: Any) -> Tensor:
        """Run the network; return its float32 output, repeatable for equal ``x``."""
        with repeatable():
            answer: Tensor = self.ready(x.to(self.scoring.dtype), **options)
            return answer.float()

    def peaks(self, maps: Tensor, *, radius_px: float, floor: float) -> list[Candidates]:
        """Return the peaks of ``(n, h, w)`` float32 maps, found on their device.

        Parameters
        ----------
        radius_px
            Suppression radius, half a diameter, in pixels of the maps.
        """
        maps = smoothed(maps, self.smoothing * 2 * radius_px, floor=floor)
        if maps.device.type == "cpu":
            return [find_peaks(score_map.numpy(), radius_px=radius_px, floor=floor) for score_map in maps]
        return find_peaks_on_device(maps, radius_px=radius_px, floor=floor)
