import json

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from test_cryolo_boxes import overlaps

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.cryolo import picker as cryolo_picker
from cryopick_ray.pickers.cryolo.networks import ARCHITECTURES, CryoloNetwork
from cryopick_ray.pickers.cryolo.picker import FLOOR, MAX_IOU, CryoloPicker, low_passed, normalise
from cryopick_ray.pickers.families import build_network, make_picker
from cryopick_ray.pickers.registry import find_network
from cryopick_ray.pickers.scoring import Scoring
from cryopick_ray.pickers.weights import ModelCard, restore, weights_digest

BOTH = pytest.mark.parametrize("architecture", ARCHITECTURES)


def model(architecture="cryolo-16", seed=0, **changes):
    torch.manual_seed(seed)
    network = CryoloNetwork(architecture, 2)
    with torch.no_grad():  # batch norms learn what they see, as in training
        for _ in range(30):
            network(torch.randn(4, 1, 96, 96) / 6)
    card = {
        "name": "tiny",
        "architecture": architecture,
        "parameters": {"width": 2},
        "particle_px": 32.0,
        "normalisation": "cryolo-6-sigma",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": weights_digest(network.state_dict()),
    }
    return network, ModelCard.model_validate(card | changes)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(3, 2, (170, 211)).astype(np.float32)


def stacked(*images):
    return torch.from_numpy(np.stack(images).astype(np.float32))


class Painted(CryoloNetwork):
    """Answers the same whatever it sees: what the picker makes of answers."""

    def __init__(self, answers):
        super().__init__("cryolo-16", 1)
        self.answers = answers

    def forward(self, images):
        return self.answers.expand(len(images), -1, -1, -1)


def painted(answers, **changes):
    return CryoloPicker(Painted(answers), model()[1], **changes)


def silent(rows, columns):
    answers = torch.zeros(1, 5, rows, columns)
    answers[:, 4] = -20
    return answers


@pytest.mark.parametrize(
    ("architecture", "parameters", "published"),
    [("cryolo-16", 14_575_973, 14.6), ("cryolo-phosaurus", 50_630_501, 50.6)],
)
def test_parameters_are_the_papers(architecture, parameters, published):
    with torch.device("meta"):
        network = CryoloNetwork(architecture)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == parameters
    assert round(count / 1e6, 1) == published


def test_the_sixteen_convolutions_are_the_papers():
    with torch.device("meta"):
        network = CryoloNetwork("cryolo-16")
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [convolution.out_channels for convolution in convolutions] == [
        *(32, 64, 128, 64, 128, 256, 128, 256, 512, 256, 512, 256, 512, 1024, 512, 1024),
        5,
    ]
    kernels = [convolution.kernel_size[0] for convolution in convolutions]
    assert kernels == [3, 3, 3, 1, 3, 3, 1, 3, 3, 1, 3, 1, 3, 3, 1, 3, 1]
    assert sum(isinstance(module, torch.nn.MaxPool2d) for module in network.modules()) == 4


@BOTH
def test_every_cell_of_16_px_answers_five_numbers(architecture):
    network = CryoloNetwork(architecture, 1)
    assert network(torch.zeros(2, 1, 96, 160)).shape == (2, 5, 6, 10)


@BOTH
def test_an_answer_depends_on_no_pixel_beyond_the_reach(architecture):
    network = model(architecture)[0].eval()
    reach = network.reach_px
    cell, side = reach + 32, 2 * reach + 96
    seen = torch.randn(1, 1, side, side, requires_grad=True)
    row = cell // 16
    network(seen)[0, :, row, row].sum().backward()
    rows = torch.nonzero(seen.grad[0, 0].abs().sum(1)).flatten()
    assert rows.min() >= cell - reach
    assert rows.max() < cell + 16 + reach
    assert rows.max() - rows.min() > reach  # it does see far


@BOTH
def test_a_network_is_all_in_its_state(architecture):
    network, card = model(architecture)
    again = restore(lambda: build_network(card), network.state_dict(), "tiny")
    seen = torch.randn(1, 1, 64, 64)
    torch.testing.assert_close(again(seen), network.eval()(seen))


@pytest.mark.parametrize(("architecture", "width"), [("cryolo-17", 32), ("cryolo-16", 0), ("cryolo-16", 999)])
def test_no_network_is_built_of_nonsense(architecture, width):
    with pytest.raises(ModelError, match=r"cryolo"):
        CryoloNetwork(architecture, width)


def test_a_cell_of_an_answer_becomes_a_box_of_the_image():
    answers = silent(11, 14)
    answers[0, :, 3, 5] = torch.tensor([0.0, 0.0, np.log(1.25), 0.0, 3.0])
    image = np.random.default_rng(0).normal(size=(170, 211)).astype(np.float32)
    boxes = painted(answers).find_boxes(stacked(image))[0]
    assert [*boxes.x, *boxes.y, *boxes.width, *boxes.height] == pytest.approx([87.5, 55.5, 40.0, 32.0])
    assert boxes.score.tolist() == pytest.approx([1 / (1 + np.exp(-3.0))])
    candidates = painted(answers).pick(image)
    assert (candidates.x, candidates.y, candidates.score) == (boxes.x, boxes.y, boxes.score)
    assert candidates.more == {"box_w_px": boxes.width, "box_h_px": boxes.height}
    larger = painted(answers, particle_px=64.0).find_boxes(stacked(image))[0]
    assert larger.height.tolist() == pytest.approx([64.0])


def test_candidates_carry_the_sizes_of_their_boxes(image):
    picker = CryoloPicker(*model())
    found, boxes = picker.pick(image), picker.find_boxes(stacked(image))[0]
    assert len(found) > 10
    np.testing.assert_array_equal(found.more["box_w_px"], boxes.width)
    np.testing.assert_array_equal(found.more["box_h_px"], boxes.height)


def test_no_centre_lies_on_the_mirrored_margin():
    answers = silent(11, 14)
    answers[0, 4, :, 13] = 3.0  # columns 208 to 223 of an image with 211
    answers[0, 0, ::2, 13] = torch.logit(torch.tensor(1 / 16))  # 208.5
    image = np.random.default_rng(0).normal(size=(170, 211)).astype(np.float32)
    assert painted(answers).find_boxes(stacked(image))[0].x.tolist() == pytest.approx([208.5] * 6)


@BOTH
def test_tiles_leave_no_seam(architecture):
    network, card = model(architecture)
    side = network.reach_px + 400
    image = np.random.default_rng(0).normal(3, 2, (side, side + 37)).astype(np.float32)
    whole = CryoloPicker(network, card, tile_px=2048).answers(stacked(image))
    tiled = CryoloPicker(network, card, tile_px=224).answers(stacked(image))
    grid = (-(-s // network.multiple_px) * network.multiple_px // 16 for s in image.shape)
    assert whole.shape == (1, 5, *grid)
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=0)
    assert whole[0].flatten(1).std(1).min() > 1e-3  # not the same everywhere


def test_boxes_are_ranked_apart_and_above_the_floor(image):
    boxes = CryoloPicker(*model()).find_boxes(stacked(image))[0]
    assert len(boxes) > 10
    assert (np.diff(boxes.score) <= 0).all()
    assert boxes.score.min() > FLOOR
    among = overlaps(boxes, boxes)
    assert among[~np.eye(len(boxes), dtype=bool)].max() <= MAX_IOU


@BOTH
def test_picks_are_repeatable_and_independent_of_gain_and_offset(architecture, image):
    picker = CryoloPicker(*model(architecture))
    first, again = picker.pick(image), picker.pick(image)
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.score, again.score)
    other = picker.answers(stacked(8 * image + 100))
    torch.testing.assert_close(other, picker.answers(stacked(image)), atol=1e-3, rtol=0)


@BOTH
def test_a_batch_is_picked_as_each_of_it_is(architecture, image):
    picker = CryoloPicker(*model(architecture))
    others = [image, image[::-1], np.random.default_rng(1).normal(size=image.shape)]
    for found, other in zip(picker.pick_many(stacked(*others)), others, strict=True):
        alone = picker.pick(np.ascontiguousarray(other))
        for kept, expected in ((found.x, alone.x), (found.y, alone.y), (found.score, alone.score)):
            np.testing.assert_allclose(kept, expected, atol=1e-4)
    assert len(picker.pick_many(stacked(*others))[2]) > 10


@BOTH
def test_half_precision_answers_nearly_the_same(architecture, image):
    exact, fast = (
        CryoloPicker(*model(architecture), scoring=scoring).answers(stacked(image))
        for scoring in (Scoring(), Scoring(exact=False, precision="bfloat16"))
    )
    assert 0 < (fast - exact).abs().max() < 0.05 * (exact.max() - exact.min())


@BOTH
def test_pooling_before_the_activation_changes_nothing(architecture):
    network = model(architecture)[0].eval()
    x = torch.randn(1, 1, 96, 160)
    with torch.inference_mode():
        as_built, as_published = network.trunk(x), x
        for unit in network.trunk:
            if isinstance(unit[0], torch.nn.MaxPool2d):
                as_published = torch.nn.functional.max_pool2d(as_published, 2)
            else:
                as_published = torch.nn.functional.leaky_relu(unit[1](unit[0](as_published)), 0.1)
    assert torch.equal(as_built, as_published)
    assert (as_built < 0).any()


@pytest.mark.parametrize("shape", [(170, 211), (5, 90), (1, 1), (3, 700)])
def test_the_low_pass_is_a_gaussian_mirrored_at_the_edges(monkeypatch, shape):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    limits = torch.tensor([[[-1.5]]]), torch.tensor([[[1.5]]])
    expected = gaussian_filter(image.clip(-1.5, 1.5), 1.5, mode="mirror")
    whole = low_passed(stacked(image), *limits)
    np.testing.assert_allclose(whole[0], expected, atol=1e-5)
    monkeypatch.setattr(cryolo_picker, "BAND_PX", 1)  # as few rows at once as there may be
    assert torch.equal(low_passed(stacked(image), *limits), whole)


@BOTH
def test_an_image_smaller_than_a_cell_is_read(architecture):
    image = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    candidates = CryoloPicker(*model(architecture)).pick(image)
    assert ((candidates.x < 4.5) & (candidates.y < 8.5)).all()


def test_noise_has_a_sixth_of_unit_deviation_whatever_the_outliers(image):
    clean = normalise(stacked(image))[0].numpy()
    assert (clean.mean(), clean.std()) == pytest.approx((0, 1 / 6), abs=1e-3)
    spoilt = image.copy()
    spoilt[:3, :10] = 1e6
    spoilt[50, 50] = -1e9
    normalised = normalise(stacked(spoilt))[0].numpy()
    assert normalised.dtype == np.float32
    assert np.abs(normalised).max() <= 1
    np.testing.assert_allclose(normalised[60:], clean[60:], atol=0.03)


def test_an_image_of_few_grey_values_is_normalised():
    image = np.zeros((50, 50), np.float32)  # more than half of the pixels are equal
    image[:10] = 1
    assert normalise(stacked(image)).std(correction=0).item() == pytest.approx(1 / 6)


@pytest.mark.parametrize("image", [np.zeros((0, 4)), np.full((40, 40), 7.0), np.full((40, 40), np.nan)])
def test_images_that_hold_nothing_are_refused(image):
    with pytest.raises(MicrographError, match="cannot normalise"):
        CryoloPicker(*model()).pick(image.astype(np.float32))


def test_settings_tell_all_that_decides_the_picks():
    network, card = model()
    settings = CryoloPicker(network, card, particle_px=24.0).settings()
    assert json.loads(json.dumps(settings)) == settings
    assert (settings["picker"], settings["weights"], settings["particle_px"]) == ("cryolo", card.digest, 24.0)
    assert settings != CryoloPicker(network, card).settings()
    assert settings["floor"] < settings["max_iou"]


def test_a_card_of_another_normalisation_is_refused():
    with pytest.raises(ModelError, match="cryolo-6-sigma"):
        CryoloPicker(*model(normalisation="topaz-gmm"))


@pytest.mark.parametrize("particle_px", [0.0, -3.0, np.nan, np.inf])
def test_a_particle_has_a_size(particle_px):
    with pytest.raises(UsageError, match="`particle_px`"):
        CryoloPicker(*model(), particle_px=particle_px)


@BOTH
def test_the_family_makes_this_picker(architecture):
    network, card = model(architecture)
    assert find_network("cryolo").parameters == set(card.parameters)
    assert isinstance(make_picker(network, card), CryoloPicker)
