import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.pickers.cryolo.grid_boxes import EMPTY, HELD, GridBoxes, decode, encode, iou, suppress


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
    return GridBoxes.of(np.stack([x, y, width, height, rng.integers(1, 20, count) / 20]))


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
