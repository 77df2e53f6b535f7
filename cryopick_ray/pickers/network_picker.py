"""What pickers that are a network and its card have in common."""

from typing import ClassVar, Generic, TypeVar

import torch
from torch import nn

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.device import usable_device
from cryopick_ray.pickers.weights import ModelCard
from cryopick_ray.units import is_positive

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class NetworkPicker(Generic[NetworkT]):
    """A network that is ready to answer, on its device.

    Parameters
    ----------
    network, card
        The weights and what they are.
    particle_px
        Overrides the card's.
    device
        Where the network runs: ``auto``, or as torch names it.

    Raises
    ------
    ModelError
        If the card is of another kind of model.
    UsageError
        If the device is not there or the size is none.
    """

    wants_gpu = True
    normalisation: ClassVar[str]
    """The one that the picker does; the card must name it."""

    def __init__(
        self,
        network: NetworkT,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
    ) -> None:
        if card.normalisation != self.normalisation:
            raise ModelError(
                f"model {card.name} has normalisation {card.normalisation!r}; expected {self.normalisation!r}"
            )
        self.name, self.threshold = card.name, card.threshold
        self.particle_px = card.particle_px if particle_px is None else particle_px
        if not is_positive(self.particle_px):
            raise UsageError(f"--particle-px {particle_px}: expected a size in pixels above 0")
        self.card = card
        self.device = usable_device(device)
        # channels last takes half to four fifths of the time on a CPU; torch's own hints lack the argument
        self.network: NetworkT = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
