"""Scoring of images by a network: exact, or as fast as the hardware allows."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.device.usable_device import usable_device
from cryopick_ray.pickers.fused import can_fuse

Precision = Literal["float32", "bfloat16"]
PrecisionChoice = Literal["auto", "float32", "bfloat16"]
FAST_BFLOAT16 = (("amx_bf16",), ("avx512_bf16", "sse4a"))
"""Instructions with which these networks are quicker in bfloat16 than in float32: all of one of the sets.

AVX-512's are so on AMD's CPUs, by 1.3 to 1.9 times (they alone have SSE4a, too), and not on Intel's.
"""


@dataclass(frozen=True)
class Scoring:
    """Exactness and precision of a network's scores.

    Attributes
    ----------
    exact
        The reference: every output of the paper's procedure. Otherwise a coarser grid or shared
        normalisation, in a fraction of the time: as many particles are found, but places and scores
        differ a little, and a threshold of the one is not that of the other.
    precision
        Of the network's arithmetic; normalisation and peaks are always float32.
    """

    exact: bool = True
    precision: Precision = "float32"

    @property
    def dtype(self) -> torch.dtype:
        """Torch's name of the precision."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


EXACT = Scoring()


def choose_scoring(
    *, exact: bool = False, precision: PrecisionChoice = "auto", device: str = "cpu"
) -> Scoring:
    """Return the scoring for a device; ``auto`` precision is the fastest there.

    Raises
    ------
    UsageError
        If exact scoring is combined with another precision than float32.
    """
    if exact and precision == "bfloat16":
        raise UsageError("`dtype` bfloat16: `exact` answers take float32; leave one of the two out")
    if exact:
        return EXACT
    if precision != "auto":
        return Scoring(exact=False, precision=precision)
    on_gpu = usable_device(device).type == "cuda"
    return Scoring(exact=False, precision=fast_precision(on_gpu=on_gpu))


def fast_precision(*, on_gpu: bool) -> Precision:
    """Return the precision that is fastest on a GPU, or on this machine's CPU."""
    get_capabilities = getattr(torch.cpu, "get_capabilities", dict)  # torch 2.8 has none: float32 on a CPU
    capabilities: dict[str, bool] = get_capabilities()
    on_cpu = any(all(capabilities.get(name) for name in names) for names in FAST_BFLOAT16)
    return "bfloat16" if on_gpu or on_cpu else "float32"


def last_layer(last: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply a network's last layer, of 1 x 1, in float32 at least: bfloat16 has too few distinct scores."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    bias = None if last.bias is None else last.bias.to(dtype)
    inputs, weight = x.to(dtype), last.weight.to(dtype)
    if (
        x.dtype != dtype
        and last.out_channels > 1
        and torch.is_inference_mode_enabled()
        and can_fuse(x.device)
    ):
        # a third of the time of what torch takes for one image
        return torch.mkldnn_convolution(inputs, weight, bias, (0, 0), (1, 1), (1, 1), 1)
    return functional.conv2d(inputs, weight, bias)
