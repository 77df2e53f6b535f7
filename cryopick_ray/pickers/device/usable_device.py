"""Where a network runs, and by which arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cryopick_ray.errors import UsageError


def usable_device(name: str) -> torch.device:
    """Return the device called ``name`` if it can be used here; ``auto`` takes a GPU if there is one.

    Raises
    ------
    UsageError
        If there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).cpu()
        return torch.device(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"`device` {name}: not usable here; expected auto, cpu, or cuda on a GPU machine"
        ) from error


@contextmanager
def repeatable() -> Iterator[None]:
    """Answer, without learning, the same each time; no TensorFloat-32, which is off by more than 1e-3."""
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
    ):
        yield
