import pytest
import torch
from torch.nn import functional

from cryopick_ray.pickers.pooling import MaxPool2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("sides", [(12, 20), (13, 20), (12, 21), (3, 5)])
def test_the_pool_is_torchs_own(dtype, layout, sides):
    x = torch.randn(2, 6, *sides).to(dtype).to(memory_format=layout)
    found = MaxPool2()(x)
    assert torch.equal(found, functional.max_pool2d(x, 2))
    assert found.is_contiguous(memory_format=layout)


def test_one_value_of_four_learns():
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    MaxPool2()(x).sum().backward()
    assert sorted(x.grad.flatten().tolist()) == [0.0] * 12 + [1.0] * 4


def test_what_is_no_number_stays_so():
    x = torch.zeros(1, 1, 2, 4)
    x[0, 0, 1, 2] = torch.nan
    assert MaxPool2()(x).isnan().flatten().tolist() == [False, True]
