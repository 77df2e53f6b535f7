import pytest
import torch
from torch import nn

from cryopick_ray.bench.arithmetic import counter
from cryopick_ray.pickers.fused import FusedConv, can_fuse


@torch.inference_mode()
@pytest.mark.skipif(not can_fuse(torch.device("cpu")), reason="this torch has no oneDNN")
def test_a_convolution_is_as_much_arithmetic_with_what_follows_it_as_without():
    conv, x = nn.Conv2d(3, 8, (3, 2), stride=2, padding=1), torch.ones(2, 3, 11, 9)
    sums = torch.zeros_like(conv(x)).to(memory_format=torch.channels_last)
    fused = FusedConv(conv, nn.ReLU())
    counts = []
    for call in (lambda: conv(x), lambda: fused(x), lambda: fused.onto(sums, x)):
        with counter() as count:
            call()
        counts.append(count.get_total_flops())
    assert counts == 3 * [2 * 3 * 3 * 2 * sums.numel()]
