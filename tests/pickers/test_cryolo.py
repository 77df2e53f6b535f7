import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.cryolo.boxes import EMPTY, HELD, Boxes, decode, encode, iou, suppress
from cryopick_ray.pickers.cryolo.networks import ARCHITECTURES, CryoloNetwork
from cryopick_ray.pickers.cryolo.picker import FLOOR, MAX_IOU, CryoloPicker, normalise
from cryopick_ray.pickers.families import FAMILIES, build_network, make_picker
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


# networks


@pytest.mark.parametrize(
    ("architecture", "parameters", "published"),
    [("cryolo-16", 14_575_973, 14.6), ("cryolo-phosaurus", 50_630_501, 50.6)],
)
def test_parameters_are_the_papers(architecture, parameters, published):
    with torch.device("meta"):
        network = CryoloNetwork(architecture)
    count = sum(one.numel() for one in network.parameters())
    assert count == parameters
    assert round(count / 1e6, 1) == published


def test_the_sixteen_convolutions_are_the_papers():
    with torch.device("meta"):
        network = CryoloNetwork("cryolo-16")
    convolutions = [one for one in network.modules() if isinstance(one, torch.nn.Conv2d)]
    assert [one.out_channels for one in convolutions] == [
        *(32, 64, 128, 64, 128, 256, 128, 256, 512, 256, 512, 256, 512, 1024, 512, 1024),
        5,
    ]
    kernels = [one.kernel_size[0] for one in convolutions]
    assert kernels == [3, 3, 3, 1, 3, 3, 1, 3, 3, 1, 3, 1, 3, 3, 1, 3, 1]
    assert sum(isinstance(one, torch.nn.MaxPool2d) for one in network.modules()) == 4


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


# boxes


def test_zero_answers_are_anchors_in_the_middle_of_their_cells():
    boxes = decode(torch.zeros(1, 5, 2, 3), 40.0)[0]
    # cell 0 holds pixels 0 to 15, whose middle is 7.5
    assert boxes[0, 0].tolist() == [7.5, 23.5, 39.5]
    assert boxes[1, :, 0].tolist() == [7.5, 23.5]
    assert boxes[2:4].unique().tolist() == [40.0]
    assert boxes[4].unique().tolist() == [0.5]


def test_a_decoded_centre_stays_in_the_pixels_of_its_cell():
    answers = torch.zeros(1, 5, 1, 2)
    for raw, x in ((-30.0, 15.5), (30.0, 31.5)):  # the outer edges of pixels 16 and 31
        answers[0, 0] = raw
        assert decode(answers, 32.0)[0, 0, 0, 1].item() == pytest.approx(x)


def test_untrained_answers_never_overflow():
    assert torch.isfinite(decode(torch.full((1, 5, 1, 1), 1e30), 32.0)).all()


@given(
    st.lists(st.tuples(st.floats(-0.5, 79.25, width=32), st.floats(-0.5, 63.25, width=32)), max_size=5),
    st.floats(8, 100),
)
def test_cells_answer_for_the_centres_in_them(centres, side_px):
    array = np.array(centres, np.float32).reshape(-1, 2)
    target = encode(array, side_px, (4, 5), anchor_px=32.0)
    held = target[4] == HELD
    cells = {(int((y + 0.5) // 16), int((x + 0.5) // 16)) for x, y in centres}
    assert {tuple(cell) for cell in np.argwhere(held).tolist()} == cells
    known = {(float(x), float(y)) for x, y in array}
    assert all((float(x), float(y)) in known for x, y in target[:2, held].T)
    np.testing.assert_allclose(target[2:4, held], side_px, rtol=1e-6)
    resting = decode(torch.zeros(1, 5, 4, 5), 32.0)[0].numpy()
    np.testing.assert_array_equal(target[:4, ~held], resting[:4, ~held])


@given(st.floats(-0.4, 79.3), st.floats(-0.4, 63.3), st.floats(10, 90))
def test_decoding_the_inverse_of_a_target_returns_it(x, y, side_px):
    target = encode(np.array([[x, y]], np.float32), side_px, (4, 5), anchor_px=32.0)
    row, column = np.argwhere(target[4] == HELD)[0]
    offset = torch.tensor([(x + 0.5) / 16 - column, (y + 0.5) / 16 - row]).clamp(1e-5, 1 - 1e-5)
    answers = torch.zeros(1, 5, 4, 5)
    answers[0, 0:2, row, column] = torch.logit(offset)
    answers[0, 2:4, row, column] = float(np.log(side_px / 32))
    found = decode(answers, 32.0)[0, :4, row, column]
    np.testing.assert_allclose(found, target[:4, row, column], atol=1e-3)


def test_centres_outside_the_grid_are_nobodys():
    outside = np.array([[-0.6, 5], [5, -0.6], [80.0, 5], [5, 64.0]], np.float32)
    assert (encode(outside, 32.0, (4, 5), anchor_px=32.0)[4] == EMPTY).all()


box = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 30), st.integers(1, 30))


@given(box, box)
def test_iou_counts_pixels(one, other):
    covered = []
    for x, y, width, height in (one, other):
        pixels = np.zeros((100, 100), bool)
        pixels[y : y + height, x : x + width] = True
        covered.append(pixels)
    expected = (covered[0] & covered[1]).sum() / (covered[0] | covered[1]).sum()
    centred = [torch.tensor([x + w / 2, y + h / 2, w, h]) for x, y, w, h in (one, other)]
    assert iou(*centred).item() == pytest.approx(expected, abs=1e-6)
    assert iou(*reversed(centred)).item() == pytest.approx(expected, abs=1e-6)


def some_boxes(seed, count=150):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 200, (2, count))
    width, height = rng.uniform(20, 50, (2, count))
    return Boxes.of(np.stack([x, y, width, height, rng.integers(1, 20, count) / 20]))


def overlaps(one, other):
    places = [torch.from_numpy(np.stack([b.x, b.y, b.width, b.height])) for b in (one, other)]
    return iou(places[0][:, :, None], places[1][:, None]).numpy()


@pytest.mark.parametrize("seed", range(5))
def test_suppression_keeps_a_box_unless_it_overlaps_a_better_kept_one(seed):
    boxes = some_boxes(seed)
    kept = suppress(boxes, 0.3)
    assert 0 < len(kept) < len(boxes)
    ranked = list(zip(-kept.score, kept.y, kept.x, strict=True))
    assert ranked == sorted(ranked)
    among = overlaps(kept, kept)
    assert among[~np.eye(len(kept), dtype=bool)].max() <= 0.3
    left = set(zip(kept.x.tolist(), kept.y.tolist(), strict=True))
    lost = boxes[
        np.array([pair not in left for pair in zip(boxes.x.tolist(), boxes.y.tolist(), strict=True)])
    ]
    better = kept.score[:, None] >= lost.score[None]
    assert ((overlaps(kept, lost) > 0.3) & better).any(axis=0).all()


def test_suppression_does_not_depend_on_the_order():
    boxes = some_boxes(0)
    shuffled = boxes[np.random.default_rng(1).permutation(len(boxes))]
    one, other = suppress(boxes, 0.3), suppress(shuffled, 0.3)
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.score, other.score)


def test_no_boxes_are_no_boxes():
    assert len(suppress(some_boxes(0, 0), 0.3)) == 0


# picker


def test_a_cell_of_an_answer_becomes_a_box_of_the_image():
    answers = silent(11, 14)
    answers[0, :, 3, 5] = torch.tensor([0.0, 0.0, np.log(1.25), 0.0, 3.0])
    image = np.random.default_rng(0).normal(size=(170, 211)).astype(np.float32)
    boxes = painted(answers).find_boxes(image)
    assert [*boxes.x, *boxes.y, *boxes.width, *boxes.height] == pytest.approx([87.5, 55.5, 40.0, 32.0])
    assert boxes.score.tolist() == pytest.approx([1 / (1 + np.exp(-3.0))])
    candidates = painted(answers).pick(image)
    assert (candidates.x, candidates.y, candidates.score) == (boxes.x, boxes.y, boxes.score)
    larger = painted(answers, particle_px=64.0).find_boxes(image)
    assert larger.height.tolist() == pytest.approx([64.0])


def test_no_centre_lies_on_the_mirrored_margin():
    answers = silent(11, 14)
    answers[0, 4, :, 13] = 3.0  # columns 208 to 223 of an image with 211
    answers[0, 0, ::2, 13] = torch.logit(torch.tensor(1 / 16))  # 208.5
    image = np.random.default_rng(0).normal(size=(170, 211)).astype(np.float32)
    assert painted(answers).find_boxes(image).x.tolist() == pytest.approx([208.5] * 6)


@BOTH
def test_tiles_leave_no_seam(architecture):
    network, card = model(architecture)
    side = network.reach_px + 400
    image = np.random.default_rng(0).normal(3, 2, (side, side + 37)).astype(np.float32)
    whole = CryoloPicker(network, card, tile_px=2048).answers(image)
    tiled = CryoloPicker(network, card, tile_px=224).answers(image)
    assert whole.shape == (
        5,
        *(-(-s // network.multiple_px) * network.multiple_px // 16 for s in image.shape),
    )
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
    assert whole.std(axis=(1, 2)).min() > 1e-3  # not the same everywhere


def test_boxes_are_ranked_apart_and_above_the_floor(image):
    boxes = CryoloPicker(*model()).find_boxes(image)
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
    other = picker.answers(8 * image + 100)
    np.testing.assert_allclose(other, picker.answers(image), atol=1e-3)


@BOTH
def test_an_image_smaller_than_a_cell_is_read(architecture):
    image = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    candidates = CryoloPicker(*model(architecture)).pick(image)
    assert ((candidates.x < 4.5) & (candidates.y < 8.5)).all()


def test_noise_has_a_sixth_of_unit_deviation_whatever_the_outliers(image):
    clean = normalise(image)
    assert (clean.mean(), clean.std()) == pytest.approx((0, 1 / 6), abs=1e-3)
    spoilt = image.copy()
    spoilt[:3, :10] = 1e6
    spoilt[50, 50] = -1e9
    normalised = normalise(spoilt)
    assert normalised.dtype == np.float32
    assert np.abs(normalised).max() <= 1
    np.testing.assert_allclose(normalised[60:], clean[60:], atol=0.03)


def test_an_image_of_few_grey_values_is_normalised():
    image = np.zeros((50, 50), np.float32)  # more than half of the pixels are equal
    image[:10] = 1
    normalised = normalise(image)
    assert normalised.std() == pytest.approx(1 / 6)


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


def test_a_card_of_another_normalisation_is_refused():
    with pytest.raises(ModelError, match="cryolo-6-sigma"):
        CryoloPicker(*model(normalisation="topaz-gmm"))


@pytest.mark.parametrize("particle_px", [0.0, -3.0, np.nan, np.inf])
def test_a_particle_has_a_size(particle_px):
    with pytest.raises(UsageError, match="particle-px"):
        CryoloPicker(*model(), particle_px=particle_px)


@BOTH
def test_the_family_makes_this_picker(architecture):
    network, card = model(architecture)
    assert FAMILIES[architecture].parameters == set(card.parameters)
    assert isinstance(make_picker(network, card), CryoloPicker)
