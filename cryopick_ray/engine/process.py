"""What is set once for a whole process, by the worker or the command that it runs."""

import torch

from cryopick_ray.engine.memory import keep_freed_memory


def set_up_process(threads: int, *, keeps_memory: bool = False) -> None:
    """Set how many CPU threads torch takes in this process, and whether it keeps memory that is freed.

    Parameters
    ----------
    keeps_memory
        As :func:`~cryopick_ray.engine.memory.keep_freed_memory`: for a process that runs networks.
    """
    torch.set_num_threads(threads)
    if keeps_memory:
        keep_freed_memory()
