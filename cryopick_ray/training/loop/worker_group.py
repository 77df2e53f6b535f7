"""The workers that train one network together."""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn


class WorkerGroup(Protocol):
    """The workers that train one network together, seen from one of them."""

    @property
    def rank(self) -> int:
        """Which of the members this is, from 0."""
        ...

    @property
    def size(self) -> int:
        """How many members there are."""
        ...

    @property
    def device(self) -> torch.device:
        """Where this member computes."""
        ...

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network whose gradients are the team's mean."""
        ...

    def mean(self, value: float) -> float:
        """Return the mean of what all members give."""
        ...


@dataclass(frozen=True)
class SingleWorker:
    """A team of one."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    size: int = 1

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network itself."""
        return network

    def mean(self, value: float) -> float:
        """Return the value itself."""
        return value
