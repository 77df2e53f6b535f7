"""What is counted and timed of a picker, on networks whose arithmetic can be told by hand."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cryopick_ray.bench.machine import Machine
from cryopick_ray.bench.passes import REST, network_pick
from cryopick_ray.bench.stopwatch import Stopwatch
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.scoring import Scoring
from cryopick_ray.pickers.weights import ModelCard

SIDE, CHANNELS = 64, 6
INSIDE = SIDE - 2  # a 3 x 3 kernel without padding
HAND = 2 * 9 * CHANNELS * INSIDE**2 + 2 * CHANNELS * CHANNELS * 9 * INSIDE**2 + 2 * CHANNELS * INSIDE**2
"""Multiply-adds twice: 1 -> 6 by 3 x 3, 6 -> 6 by 3 x 3 padded, and 6 -> 1 as a matrix product."""


class KnownNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, CHANNELS, 3, bias=False)
        self.norm = nn.BatchNorm2d(CHANNELS)
        self.second = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.last = nn.Linear(CHANNELS, 1)

    def forward(self, x):
        return self.last(self.second(self.norm(self.first(x)).relu()).movedim(1, -1))[..., 0]


class KnownPicker(NetworkPicker[KnownNetwork]):
    kind = "known"
    normalisation = "product"

    def details(self):
        return {}

    def pick_many(self, images):
        mixed = images @ torch.eye(images.shape[-1])
        halves = [self.ask(record[:, None]) for record in mixed.split(1)]
        return self.peaks(torch.cat(halves), radius_px=3, floor=0.0)


@pytest.fixture
def card():
    return ModelCard(
        name="known",
        architecture="known",
        parameters={},
        particle_px=8,
        normalisation="product",
        trained_on="nothing",
        licence="CC0-1.0",
        source="a test",
        digest=64 * "0",
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("images", [1, 3])
def test_arithmetic_is_what_the_hand_counts_and_the_networks_own(card, precision, images):
    picker = KnownPicker(KnownNetwork(), card, scoring=Scoring(exact=False, precision=precision))
    counter = FlopCounterMode(display=False)
    watch = Stopwatch(flops=counter.get_total_flops)
    with counter:
        network_pick(watch, picker, torch.rand(images, SIDE, SIDE))
    assert watch.parts["network"].flops == images * HAND
    assert watch.parts[REST].flops == images * 2 * SIDE**3
    assert watch.parts["peaks"].flops == 0


def test_a_timed_picker_picks_the_same_and_is_itself_again(card):
    torch.manual_seed(0)
    picker = KnownPicker(KnownNetwork(), card)
    images = torch.rand(2, SIDE, SIDE)
    watch = Stopwatch()
    timed = network_pick(watch, picker, images)
    assert not {"ask", "peaks"} & vars(picker).keys()
    for micrograph_picks, image in zip(timed, images, strict=True):
        plain = picker.pick(image.numpy())
        assert len(micrograph_picks) > 0
        assert micrograph_picks.score.tolist() == plain.score.tolist()
        assert micrograph_picks.x.tolist() == plain.x.tolist()
    assert watch.parts.keys() == {REST, "network", "peaks"}
    assert watch.parts["peaks"].bytes == 2 * INSIDE**2 * 4
    assert watch.parts[REST].bytes == 2 * images.nbytes


def test_a_picker_that_fails_while_timed_is_itself_again(card):
    picker = KnownPicker(KnownNetwork(), card)
    with pytest.raises(RuntimeError):
        network_pick(Stopwatch(), picker, torch.rand(1, 2, 2))
    assert not {"ask", "peaks"} & vars(picker).keys()


def test_a_peak_of_memory_is_seen_and_forgotten():
    machine = Machine(torch.device("cpu"))
    if machine.peak_memory_bytes() is None:
        pytest.skip("the system tells no peak")
    machine.forget_peaks()
    before = machine.peak_memory_bytes()
    held = torch.ones(2**25)
    high = machine.peak_memory_bytes()
    assert high - before > 0.9 * held.nbytes
    del held
    machine.forget_peaks()
    assert machine.peak_memory_bytes() < high - 2**26
    assert machine.peak_device_memory_bytes() is None
