"""Where a network runs."""

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
            f"--device {name}: not usable here; expected auto, cpu, or cuda on a GPU machine"
        ) from error
