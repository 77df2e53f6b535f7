"""The workers that train one network together."""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn


class WorkerGroup(Protocol):
    """The workers that train one network together, seen from one of them."""

    @property
    def rank(self) -> int:
        """Number of this worker, from 0."""
        ...

    @property
    def size(self) -> int:
        """Number of workers."""
        ...

    @property
    def device(self) -> torch.device:
        """Where this worker computes."""
        ...

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network with gradients averaged over all workers."""
        ...

    def mean(self, value: float) -> float:
        """Return the mean of the values of all workers."""
        ...


@dataclass(frozen=True)
class SingleWorker:
    """A group of a single worker, without Ray."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    size: int = 1

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network itself."""
        return network

    def mean(self, value: float) -> float:
        """Return the value itself."""
        return value
