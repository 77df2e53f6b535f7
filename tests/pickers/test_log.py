import json

import mrcfile
import numpy as np
import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.curves import curve
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.pickers.log import LogPicker, blob_score
from cryopick_ray.picks.matching import match
from cryopick_ray.picks.thresholds import auto_threshold
from cryopick_ray.units import resampled_shape, resampled_to_source, working_pixel_size_A


def discs(shape, centres, diameter, contrast=-1.0):
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    return sum(
        contrast * np.clip(diameter / 2 + 0.5 - np.hypot(yy - y, xx - x), 0, 1) for y, x in centres
    ).astype(np.float32)


def noisy(image, sigma=0.3, seed=0):
    return image + np.random.default_rng(seed).normal(0, sigma, image.shape).astype(np.float32)


@pytest.mark.parametrize("particle_px", [8, 12, 20])
def test_dark_discs_rank_first_and_are_centred(particle_px):
    step = 2 * particle_px
    truth = np.array(
        [(y + 0.3, x - 0.4) for y in range(step, 9 * step, step) for x in range(step, 9 * step, step)]
    )
    found = LogPicker(particle_px).pick(noisy(discs((10 * step, 10 * step), truth, particle_px)))
    hits = match(found.x, found.y, found.score, truth[:, 1], truth[:, 0], 0.15 * particle_px) >= 0
    assert hits[: len(truth)].all()


def test_bright_discs_are_not_particles():
    centres = [(40, 40), (40, 120), (120, 80)]
    found = LogPicker(12).pick(noisy(discs((160, 160), centres, 12, contrast=1.0)))
    assert (match(found.x, found.y, found.score, [40, 120, 80], [40, 40, 120], 3) < 0).all()


def test_a_disc_of_the_stated_size_beats_smaller_and_larger_ones():
    sizes = {4: (40, 40), 11: (40, 160), 40: (160, 100)}
    image = sum(discs((220, 220), [centre], size) for size, centre in sizes.items())
    found = LogPicker(12).pick(noisy(image, 0.5))
    assert np.hypot(found.y[0] - 40, found.x[0] - 160) < 1


def test_a_ridge_scores_below_a_disc_of_its_width():
    image = discs((160, 160), [(80, 40)], 12)
    image[:, 110:122] = -1
    score = blob_score(noisy(image, 0.05), 12)
    assert score[80, 40] > 1.5 * score[:, 116].max()


def test_no_candidate_is_cut_by_the_edge():
    found = LogPicker(12).pick(noisy(np.zeros((90, 130), np.float32)))
    assert len(found) > 10
    for place, side in ((found.y, 90), (found.x, 130)):
        assert place.min() >= 5.5
        assert place.max() <= side - 1 - 5.5


def test_scores_do_not_depend_on_the_grey_scale():
    image = noisy(discs((120, 120), [(60, 60)], 12))
    np.testing.assert_allclose(blob_score(3 * image + 7, 12), blob_score(image, 12), atol=2e-3)


def test_turning_the_image_turns_the_score():
    image = noisy(discs((96, 120), [(50, 60)], 12))
    np.testing.assert_allclose(blob_score(np.rot90(image), 12), np.rot90(blob_score(image, 12)), atol=1e-3)


def test_scores_are_in_robust_standard_deviations():
    score = blob_score(noisy(np.zeros((300, 300), np.float32)), 12)
    assert abs(np.median(score)) < 1e-5
    assert 1.4826 * np.median(np.abs(score)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("shape", [(2, 2), (5, 40), (30, 30)])
def test_small_and_featureless_images_are_survived(shape):
    assert np.isfinite(LogPicker(12).pick(np.zeros(shape, np.float32)).score).all()


@pytest.mark.parametrize("particle_px", [0, -3, 3.9, float("nan"), float("inf")])
def test_a_particle_too_small_to_see_is_refused(particle_px):
    with pytest.raises(UsageError, match="`particle_px`"):
        LogPicker(particle_px)


def test_settings_are_plain_and_tell_the_scale():
    assert json.loads(json.dumps(LogPicker(10).settings())) == LogPicker(10).settings()
    assert LogPicker(10).settings() != LogPicker(11).settings()


@pytest.mark.parametrize(
    ("folder", "diameter_A", "pixel_size_A", "radius_px", "best_f1", "skip"),
    [
        ("apoferritin-10146", 120, 1.5, 31, 0.86, ()),
        ("betagal-10017", 190, 3.54, 27, 0.73, ("15_07_41", "16_51_03")),
    ],
)
def test_real_particles_are_found(real_data, folder, diameter_A, pixel_size_A, radius_px, best_f1, skip):
    truth = read_truth(real_data / folder)
    picker = LogPicker()
    scores, hits, n_truth = [], [], 0
    for path in sorted((real_data / folder).glob("*.mrc")):
        if any(name in path.name for name in skip):
            continue
        with mrcfile.open(path, permissive=True) as mrc:
            pixels = mrc.data.copy()
        working_A = working_pixel_size_A(diameter_A, picker.particle_px)
        image = prepare(pixels, resampled_shape(pixels.shape, pixel_size_A, working_A)).pixels
        found = picker.pick(image)
        x, y = resampled_to_source(found.x, found.y, image.shape, pixels.shape)
        centres = truth.particles[path.stem]
        hits.append(match(x, y, found.score, *centres.T, radius_px) >= 0)
        scores.append(found.score)
        n_truth += len(centres)
    score, is_hit = np.concatenate(scores), np.concatenate(hits)
    best, _ = curve(score, is_hit, n_truth).best()
    picked = score >= auto_threshold(score).value
    assert best > best_f1
    assert 2 * is_hit[picked].sum() / (picked.sum() + n_truth) > 0.95 * best
