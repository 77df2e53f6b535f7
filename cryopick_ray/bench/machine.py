"""What the machine at hand can do: bandwidths, convolution speed, memory."""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch.nn.functional import conv2d

from cryopick_ray.bench.stage_record import Limits
from cryopick_ray.bench.stopwatch import Stopwatch
from cryopick_ray.engine.memory import return_freed_memory
from cryopick_ray.pickers.device.usable_device import repeatable
from cryopick_ray.pickers.scoring import Precision

COPIED_FLOATS = 2**26
"""256 MiB: in no cache."""
CHANNELS, KERNEL = 64, 3
CONVOLVED = {"cpu": (1, 256), "cuda": (32, 512)}
"""Images and their side: as much as saturates the device."""
SECONDS = 0.3
TIMES = 3
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Machine:
    """A device, and the limits that were measured on it with the threads in use.

    Parameters
    ----------
    device
        The one that networks run on.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.on_gpu = device.type == "cuda"
        self.limits = lru_cache(self._limits)

    @property
    def name(self) -> str:
        """What the device is called."""
        return torch.cuda.get_device_name(self.device) if self.on_gpu else "cpu"

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def forget_peaks(self) -> None:
        """Let the peaks of memory start from what is used now."""
        return_freed_memory()
        with suppress(OSError):  # not Linux, or not allowed: peaks since the start, then
            FORGET.write_text("5")
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_memory_bytes(self) -> int | None:
        """Return the most memory that this process held at once; ``None`` where the system doesn't say."""
        lines = STATUS.read_text().splitlines() if STATUS.exists() else []
        return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)

    def peak_device_memory_bytes(self) -> int | None:
        """Return the most memory of the GPU that tensors took at once; ``None`` without a GPU."""
        return torch.cuda.max_memory_allocated(self.device) if self.on_gpu else None

    def _limits(self, precision: Precision) -> Limits:
        return Limits(self._bytes_per_s, self._flops_per_s(precision))

    @cached_property
    def _bytes_per_s(self) -> dict[str, float]:
        """Bytes read plus bytes written; over the bus each is counted once on either side."""
        here, there = torch.ones(COPIED_FLOATS), torch.ones(COPIED_FLOATS)  # zeros would be no memory yet
        amount = 2 * here.nbytes
        rates = {"memory": self._best_rate(amount, lambda: there.copy_(here))}
        if self.on_gpu:
            pinned, near, beside = here.pin_memory(), here.to(self.device), there.to(self.device)
            rates["link"] = self._best_rate(amount, lambda: near.copy_(pinned))
            rates["device"] = self._best_rate(amount, lambda: beside.copy_(near))
        return rates

    def _flops_per_s(self, precision: Precision) -> float:
        images, side = CONVOLVED[self.device.type]
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        kernel = torch.full((CHANNELS, CHANNELS, KERNEL, KERNEL), 0.01)
        x = torch.full((images, CHANNELS, side, side), 0.5)
        x, kernel = (one.to(self.device, dtype, memory_format=torch.channels_last) for one in (x, kernel))
        flops = 2 * CHANNELS**2 * KERNEL**2 * images * side**2
        with repeatable():  # as pickers ask their networks
            return self._best_rate(flops, lambda: conv2d(x, kernel, padding=KERNEL // 2))

    def _best_rate(self, amount: int, call: Callable[[], object]) -> float:
        """Return amount a second in the quickest of several calls, the first not counted."""
        call()
        took: list[float] = []
        while len(took) < TIMES or sum(took) < SECONDS:
            watch = Stopwatch(wait=self.wait)
            with watch.part("call") as part:
                part.route = "device" if self.on_gpu else "memory"
                call()
            took.append(part.busy_seconds)
        return amount / min(took)
