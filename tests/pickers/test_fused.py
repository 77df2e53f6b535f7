import pytest
import torch
from torch import nn

from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.folding import fold_batch_norm
from cryopick_ray.pickers.fused import FusedConv, can_fuse, fuse
from cryopick_ray.pickers.heatmap.networks import Up
from cryopick_ray.pickers.scoring import fast_precision

ROUNDING = 1e-5
"""Of float32, relative to the spread of the values: three hundred times less than one bit of bfloat16."""

pytestmark = pytest.mark.skipif(
    not can_fuse(torch.device("cpu"), torch.float32), reason="this torch has no oneDNN"
)


def images(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layers(*some):
    """Return a sequence with weights that are not the ones of any other seed."""
    torch.manual_seed(0)
    return nn.Sequential(*some)


def near(found, expected):
    return float((found - expected).abs().max()) <= ROUNDING * float(expected.std())


@torch.inference_mode()
@pytest.mark.parametrize("model", ["heatmap-general", "cryolo-general", "deeppicker-general"])
def test_a_network_that_is_asked_fast_answers_as_it_was_taught(model):
    picker = load_picker(model, device="cpu", precision="float32", particle_px=None)
    options = {"step_px": 4} if model.startswith("deeppicker") else {}
    kinds = [type(module) for module in picker.ready.modules()]
    assert FusedConv in kinds
    assert FusedConv not in [type(module) for module in picker.network.modules()]
    for shape in ((1, 1, 192, 160), (3, 1, 96, 128), (1, 1, 192, 160)):  # laid out for one after the other
        x = images(*shape)
        assert near(picker.ready(x, **options), picker.network(x, **options))


@torch.inference_mode()
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_answer_does_not_depend_on_the_shapes_asked_about_before(precision):
    picker, other = (
        load_picker("heatmap-general", device="cpu", precision=precision, particle_px=None) for _ in range(2)
    )
    shapes = [(1, 1, 192, 160), (1, 1, 96, 96), (1, 1, 192, 160)]
    first, _, again = (picker.ask(images(*shape)) for shape in shapes)
    assert torch.equal(first, again)
    assert torch.equal(other.ask(images(*shapes[1])), picker.ask(images(*shapes[1])))


@torch.inference_mode()
def test_exact_answers_are_those_of_the_plain_layers():
    picker = load_picker("heatmap-general", device="cpu", exact=True, particle_px=None)
    plain = fold_batch_norm(
        load_picker("heatmap-general", device="cpu", exact=True, particle_px=None).network
    )
    x = images(1, 1, 96, 96)
    assert torch.equal(picker.ready(x), plain.to(memory_format=torch.channels_last)(x))


@torch.inference_mode()
@pytest.mark.parametrize(("fine", "coarse", "shape"), [(3, 6, (2, 2)), (8, 16, (6, 10)), (24, 48, (34, 22))])
def test_a_folded_way_up_is_the_pair_on_the_enlarged_map_at_its_edges_too(fine, coarse, shape):
    torch.manual_seed(0)
    up = Up(fine + coarse, fine).eval()
    for norm in up[1], up[4]:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    height, width = shape
    maps = images(2, fine, height, width), images(2, coarse, height // 2, width // 2, seed=1)
    expected = up(*maps)
    folded = fold_batch_norm(up).folded()
    assert near(folded(*maps), expected)
    assert near(folded(*(one.to(memory_format=torch.channels_last) for one in maps)), expected)


@torch.inference_mode()
def test_a_convolution_is_added_onto_sums_before_the_activation():
    conv = nn.Conv2d(4, 8, 3, padding=1)
    x, sums = images(1, 4, 9, 7), images(1, 8, 9, 7, seed=1).to(memory_format=torch.channels_last)
    expected = torch.relu(sums + conv(x))
    found = FusedConv(conv, nn.ReLU()).onto(sums, x)
    assert near(found, expected)
    assert found.data_ptr() == sums.data_ptr()


@torch.inference_mode()
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_activation_is_the_one_that_follows(activation, dtype):
    if not can_fuse(torch.device("cpu"), dtype):
        pytest.skip("no bfloat16 in this oneDNN on this CPU")
    plain = layers(nn.Conv2d(3, 16, 3, stride=2), nn.BatchNorm2d(16), activation, nn.Conv2d(16, 5, 3)).eval()
    plain = fold_batch_norm(plain).to(dtype)
    x = images(2, 3, 21, 17).to(dtype)
    expected = plain(x).float()
    fuse(plain)
    assert [type(one) for one in plain] == [FusedConv, nn.Identity, nn.Identity, nn.Conv2d]
    error = (plain(x).float() - expected).abs().max() / expected.std()
    assert error <= (ROUNDING if dtype == torch.float32 else 0.02)


@torch.inference_mode()
@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.Linear(9, 9),
    ],
)
def test_other_layers_stay_as_they_are(conv):
    plain = layers(conv, nn.ReLU())
    x = images(1, 3, 9, 9)
    expected = plain(x)
    fuse(plain)
    assert plain[0] is conv
    assert torch.equal(plain(x), expected)


@pytest.mark.parametrize(
    ("instructions", "precision"),
    [
        ({"avx512_f"}, "float32"),
        ({"avx512_bf16"}, "float32"),
        ({"sse4a"}, "float32"),
        ({"avx512_bf16", "sse4a"}, "bfloat16"),
        ({"avx512_bf16", "amx_bf16"}, "bfloat16"),
    ],
)
def test_a_cpu_answers_in_half_precision_where_that_is_quicker(monkeypatch, instructions, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(instructions, True))
    assert fast_precision(on_gpu=False) == precision
    assert fast_precision(on_gpu=True) == "bfloat16"
