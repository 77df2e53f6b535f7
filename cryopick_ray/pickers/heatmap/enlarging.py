"""Upsampling blocks of the heat-map network without the enlarged map: the same output, less arithmetic.

In a 3 x 3 convolution of an image enlarged twice, its pixels repeated, several taps have the same pixel: its
value in one of the four phases of the fine grid is that of a 2 x 2 convolution of the coarse image whose
weights are sums. All phases are channels of one convolution (compare the sub-pixel convolution of Shi et al.
2016, arXiv:1609.05158), and a convolution of channels that are joined is the sum of theirs.
"""

import torch
from torch import Tensor, nn

from cryopick_ray.pickers.fused import FusedConv

TAPS = (((1.0, 1.0, 0.0), (0.0, 0.0, 1.0)), ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)))
"""By phase, the second one first, and tap on the coarse grid: the taps of the fine grid on that pixel."""


class FoldedUpPair(nn.Module):
    """What :class:`~cryopick_ray.pickers.heatmap.networks.Up` computes, for inference on a CPU.

    Parameters
    ----------
    first, second
        Its convolutions, batch norm folded in. The first one's outputs are as many as the fine channels.
    """

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d) -> None:
        super().__init__()
        self.channels = first.out_channels
        coarse = first.in_channels - self.channels
        weight, bias = first.weight.detach(), first.bias
        assert bias is not None, "batch norm is folded in"
        fine = nn.Conv2d(self.channels, self.channels, 3, padding=1, bias=False)
        coarse_phases = nn.Conv2d(coarse, 4 * self.channels, 2, padding=1)
        taps = weight.new_tensor(TAPS)
        phases = torch.einsum("pik,qjl,ockl->pqocij", taps, taps, weight[:, self.channels :])
        fine.weight = nn.Parameter(weight[:, : self.channels].clone())
        coarse_phases.weight = nn.Parameter(phases.reshape(coarse_phases.weight.shape))
        coarse_phases.bias = nn.Parameter(bias.detach().repeat(4))
        relu = nn.ReLU()
        self.own, self.four, self.second = (
            FusedConv(fine, relu),
            FusedConv(coarse_phases),
            FusedConv(second, relu),
        )

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return ``(n, c, h, w)`` of fine maps of that shape and ``(n, k, h / 2, w / 2)`` coarse ones."""
        four = self.four(coarse).movedim(1, 3)
        n, height, width, _ = four.shape
        phases = four.view(n, height, width, 2, 2, self.channels).transpose(2, 3)
        enlarged = phases.reshape(n, 2 * height, 2 * width, self.channels)[:, 1:-1, 1:-1]
        sums = enlarged.movedim(3, 1).contiguous(memory_format=torch.channels_last)
        answer: Tensor = self.second(self.own.onto(sums, fine))
        return answer
