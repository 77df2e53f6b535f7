"""Batch norm folded into the convolution before it: the same output with half the passes over memory."""

from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def fold_batch_norm(network: ModuleT) -> ModuleT:
    """Return ``network``, in evaluation mode, with each batch norm that follows a convolution folded in.

    A batch norm follows a convolution when it comes right after it among the children of one module.
    """
    for module in list(network.modules()):
        for (name, conv), (next_name, norm) in pairwise(list(module.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(conv, norm))
                setattr(module, next_name, nn.Identity())
    return network
