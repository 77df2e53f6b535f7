import pytest
import torch

from cryopick_ray.pickers.heatmap.networks import MOST, HeatmapNetwork
from cryopick_ray.training.loop.mixing import between


def weights(answers=MOST, seed=0):
    torch.manual_seed(seed)
    made = HeatmapNetwork("heatmap", 2, answers)
    for tensor in made.parameters():
        torch.nn.init.normal_(tensor)
    return made.state_dict()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75])
def test_every_weight_lies_on_the_line_between_both(share):
    start, end = weights(seed=1), weights(seed=2)
    kept = {name: tensor.clone() for name, tensor in end.items()}
    for name, tensor in between(start, end, share).items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, share * start[name] + (1 - share) * kept[name])
        else:
            assert torch.equal(tensor, kept[name])
        assert torch.equal(end[name], kept[name])


def test_answers_that_the_start_lacks_are_those_of_the_end():
    start, end = weights(2, seed=1), weights(seed=2)
    found = between(start, end, 0.5)
    torch.testing.assert_close(found["head.weight"][:2], (start["head.weight"] + end["head.weight"][:2]) / 2)
    assert torch.equal(found["head.weight"][2:], end["head.weight"][2:])
    HeatmapNetwork("heatmap", 2, MOST).load_state_dict(found)
