import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.topaz.networks import ARCHITECTURES, TopazNetwork

RECEPTIVE_FIELDS = {"topaz-conv3": 31, "topaz-resnet8": 71, "topaz-resnet16": 91}


def random_network(architecture: str, units: int, seed: int = 0) -> TopazNetwork:
    torch.manual_seed(seed)
    network = TopazNetwork(architecture, units).double().eval()
    for name, tensor in network.state_dict().items():
        if "running" in name or "activation" in name:
            tensor.uniform_(0.2, 2.0)
    return network


@pytest.mark.parametrize(
    ("architecture", "units", "count"),
    [
        ("topaz-resnet8", 32, 328_801),
        ("topaz-resnet8", 64, 1_310_913),
        ("topaz-resnet16", 32, 458_145),
        ("topaz-resnet16", 64, 1_827_649),
        # 32@7x7, 64@5x5, 128@5x5 without bias; scale and shift a channel, a slope a layer; one output
        ("topaz-conv3", 32, 49 * 32 + 25 * 32 * 64 + 25 * 64 * 128 + 2 * (32 + 64 + 128) + 3 + 129),
    ],
)
def test_parameter_counts_are_the_published_ones(architecture, units, count):
    with torch.device("meta"):
        network = TopazNetwork(architecture, units)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_impulse_reaches_exactly_the_receptive_field(architecture):
    network = TopazNetwork(architecture, 1).double().eval()
    for name, parameter in network.named_parameters():
        torch.nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    field = RECEPTIVE_FIELDS[architecture]
    assert network.receptive_field_px == field
    image = torch.zeros(1, 1, 3 * field, 3 * field, dtype=torch.double)
    image[..., field + 10, field + 17] = 1.0
    with torch.inference_mode():
        response = network(image, step=1)[0]
    rows, columns = torch.nonzero(response, as_tuple=True)
    middle = field // 2  # of the output, which begins half a field inside the image
    assert (rows.min() + middle, rows.max() + middle) == (field + 10 - middle, field + 10 + middle)
    assert (columns.min() + middle, columns.max() + middle) == (field + 17 - middle, field + 17 + middle)


@settings(max_examples=25, deadline=None)
@given(
    architecture=st.sampled_from(sorted(ARCHITECTURES)),
    extra=st.tuples(st.integers(0, 13), st.integers(0, 13)),
    seed=st.integers(0, 99),
)
def test_coarser_steps_sample_the_dense_answers(architecture, extra, seed):
    network = random_network(architecture, 2, seed)
    height, width = (network.receptive_field_px + more for more in extra)
    images = torch.randn(2, 1, height, width, dtype=torch.double)
    with torch.inference_mode():
        dense, second, strided = network(images, step=1), network(images, step=2), network(images)
    assert dense.shape == (2, extra[0] + 1, extra[1] + 1)
    torch.testing.assert_close(dense[:, ::2, ::2], second)
    torch.testing.assert_close(dense[:, :: network.stride, :: network.stride], strided)


@pytest.mark.parametrize(
    ("architecture", "units"), [("unet", 2), ("topaz-resnet8", 0), ("topaz-resnet8", 10**9)]
)
def test_a_network_that_is_none_is_refused(architecture, units):
    with pytest.raises(ModelError, match=r"expected (one of|1 to)"):
        TopazNetwork(architecture, units)
