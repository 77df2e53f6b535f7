"""Models that also answer how likely a particle is near and what else lies there."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from torch import nn

from cryopick_ray.errors import ModelError
from cryopick_ray.micrographs.junk import Junk, JunkMask
from cryopick_ray.pickers.calibration import calibrated
from cryopick_ray.pickers.families import build_network
from cryopick_ray.pickers.heatmap.junk_mask import junk_mask
from cryopick_ray.pickers.heatmap.networks import KINDS, MOST, HeatmapNetwork
from cryopick_ray.pickers.heatmap.picker import CUT_LOG_ODDS, EDGE, FLOOR, PEAK_FLOOR, STRIDE, HeatmapPicker
from cryopick_ray.pickers.weights import ModelCard

CARD = ModelCard(
    name="hm",
    architecture="heatmap",
    parameters={"base": 3, "answers": MOST},
    particle_px=20.0,
    normalisation="flattened",
    trained_on="",
    licence="",
    source="",
    threshold=0.4,
    digest="0" * 64,
)


def network(answers=MOST, seed=0):
    torch.manual_seed(seed)
    made = HeatmapNetwork("heatmap", 3, answers)
    nn.init.normal_(made.head.weight, std=2.0)
    made.head.bias.data[3:4] = 0  # as if it had seen junk
    return made.eval()


def picker(**changes):
    return HeatmapPicker(network(), CARD.model_copy(update=changes))


def noise(shape=(160, 128), seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def answers(it, image):
    with torch.inference_mode():
        return it._answers(torch.from_numpy(image)[None])[0].numpy()


def places(found):
    return np.rint((found.y - 0.5) / STRIDE).astype(int), np.rint((found.x - 0.5) / STRIDE).astype(int)


def test_a_score_is_the_mean_of_the_log_odds_of_centre_and_nearness():
    it, image = picker(), noise()
    found, told = it.pick(image), answers(it, image)
    assert len(found) > 10
    rows, columns = places(found)
    mean = (told[0, rows, columns] + told[2, rows, columns]) / 2
    height, width = image.shape
    off = np.min([found.x, found.y, width - 1 - found.x, height - 1 - found.y], axis=0) + 0.5
    whole = off >= EDGE * 20
    np.testing.assert_allclose(found.score[whole], expit(mean[whole]), rtol=1e-5)
    assert 0 < whole.sum() < len(found)
    assert (found.score[~whole] < expit(mean[~whole])).all()  # the edge cuts them
    assert (logit(found.score[~whole]) >= mean[~whole] - CUT_LOG_ODDS - 1e-3).all()
    assert (np.diff(found.score) <= 0).all()
    assert found.score.min() > FLOOR
    assert expit(told[0, rows, columns]).min() > PEAK_FLOOR


def test_the_line_of_the_card_calibrates_and_keeps_the_order():
    plain, line = picker().pick(noise()), (0.5, -0.3)
    found = picker(calibration=line).pick(noise())
    clear = np.isin(plain.junk, [Junk.NONE, Junk.LATTICE])
    expected = np.where(clear, calibrated(plain.score, line), plain.score)
    order = np.argsort(-expected, kind="stable")
    order = order[expected[order] > FLOOR]
    np.testing.assert_allclose(found.score, expected[order], rtol=1e-5)
    np.testing.assert_array_equal(found.x, plain.x[order])
    assert picker(calibration=line).calibrated
    assert not picker().calibrated


def test_scores_of_a_micrograph_follow_its_own_share_of_particles():
    plain, numbers = picker().pick(noise()), (1.2, 0.2, 0.35, 0.6)
    found = picker(calibration=numbers).pick(noise())
    clear = np.isin(plain.junk, [Junk.NONE, Junk.LATTICE])
    expected = calibrated(plain.score[clear], numbers)
    kept = np.sort(found.score[np.isin(found.junk, [Junk.NONE, Junk.LATTICE])])
    np.testing.assert_allclose(kept, np.sort(expected[expected > FLOOR]), rtol=1e-5)


def test_candidates_have_the_junk_of_the_mask_at_their_place():
    it, image = picker(), noise()
    found = it.pick(image)
    assert found.mask.dtype == found.junk.dtype == np.uint8
    rows, columns = found.mask.shape
    row, column = (
        (found.y * rows / image.shape[0]).astype(int),
        (found.x * columns / image.shape[1]).astype(int),
    )
    np.testing.assert_array_equal(found.junk, found.mask[row, column])
    assert len(np.unique(found.mask)) > 1


def test_equal_batches_give_equal_picks():
    it, images = picker(), np.stack([noise(seed=seed) for seed in (1, 2)])
    for picks, image in zip(it.pick_many(torch.from_numpy(images)), images, strict=True):
        alone = it.pick(image)
        for name in (field.name for field in dataclasses.fields(alone) if field.name != "more"):
            np.testing.assert_array_equal(getattr(picks, name), getattr(alone, name))
        assert picks.more.keys() == alone.more.keys() == {"size_px"}
        np.testing.assert_array_equal(picks.more["size_px"], alone.more["size_px"])


def test_candidates_have_the_size_that_the_network_tells_at_their_place():
    it, image = picker(calibration=(0.5, -0.3)), noise()
    found, told = it.pick(image), answers(it, image)
    rows, columns = places(found)
    assert found.more["size_px"].dtype == np.float32
    np.testing.assert_allclose(found.more["size_px"], 20 * np.exp(told[1, rows, columns]), rtol=1e-5)
    assert found.more["size_px"].std() > 0.1


@pytest.mark.parametrize(
    ("changes", "knows"),
    [
        ({}, True),
        ({"options": {"scale_jitter": 1.0}}, False),
        ({"options": {"scale_jitter": 1}, "scales": (0.8, 1.25)}, True),
        ({"options": {"scale_jitter": 1.3}}, True),
    ],
)
def test_a_network_that_was_shown_one_size_alone_tells_none(changes, knows):
    assert ("size_px" in picker(**changes).pick(noise()).more) == knows


def test_a_mask_is_the_likeliest_kind_where_junk_is_likelier_than_none():
    logits = torch.full((KINDS, 16, 24), -9.0)
    logits[Junk.NONE] = 0
    logits[Junk.CARBON, :, :8] = 2
    logits[Junk.ICE, 8:, 16:] = 1.2
    logits[Junk.CONTAMINATION, 8:, 16:] = 1.0  # together likelier than none, neither alone is by much
    logits[Junk.LATTICE, :8, 16:] = -1
    mask = junk_mask(logits, 20.0)
    assert mask.shape == (2, 3)
    assert mask.tolist() == [[Junk.CARBON, 0, 0], [Junk.CARBON, 0, Junk.ICE]]
    at = np.array([0.0, 8.1, 23.4, 24.0])
    assert JunkMask(mask, (16, 24)).at(at, np.full(4, 14.4)).tolist() == [Junk.CARBON, 0, Junk.ICE, Junk.ICE]


def test_models_without_nearness_answer_as_ever():
    torch.manual_seed(0)
    old = HeatmapPicker(network(2), CARD.model_copy(update={"parameters": {"base": 3}}))
    found, told = old.pick(noise()), None
    told = answers(old, noise())
    assert found.junk is None
    assert found.mask is None
    rows, columns = places(found)
    np.testing.assert_allclose(logit(found.score.astype(float)), told[0, rows, columns], atol=1e-3)
    assert not old.can_be_calibrated


def test_a_network_of_all_answers_begins_with_an_older_ones_tensors():
    old, new = network(2, seed=1), network(MOST, seed=2)
    own = {name: value.clone() for name, value in new.state_dict().items()}
    new.load_state_dict(old.state_dict())
    image = torch.from_numpy(noise((64, 64)))[None, None]
    with torch.inference_mode():
        torch.testing.assert_close(new(image)[:, :2], old(image))
    for name in ("head.weight", "head.bias"):
        torch.testing.assert_close(new.state_dict()[name][2:], own[name][2:])


@pytest.mark.parametrize("answers", [0, 3, 10])
def test_other_numbers_of_answers_are_refused(answers):
    with pytest.raises(ModelError, match=f"{answers} answers; expected 2 or 9"):
        HeatmapNetwork("heatmap", 3, answers)


def test_cards_may_lack_the_number_of_answers_and_nothing_else():
    assert build_network(CARD).head.out_channels == MOST
    assert build_network(CARD.model_copy(update={"parameters": {"base": 3}})).head.out_channels == 2
    for wrong in ({"answers": MOST}, {"base": 3, "answer": 9}):
        with pytest.raises(ModelError, match="parameters"):
            build_network(CARD.model_copy(update={"parameters": wrong}))


def test_a_network_that_never_saw_junk_sees_none():
    fresh = HeatmapPicker(HeatmapNetwork("heatmap", 3, MOST).eval(), CARD)
    assert not junk_mask(torch.from_numpy(answers(fresh, noise()))[3:], 10.0).any()
