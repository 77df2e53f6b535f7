import json

import mrcfile
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from score_map import score_map
from template_models import CENTRES_A, PX, SIGMA_A, WEIGHT, card_for, views

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.evaluation.curves import curve
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.pickers.families import load_network_picker
from cryopick_ray.pickers.template.picker import FLOOR, TemplatePicker
from cryopick_ray.pickers.template.templates import Templates, disc, make_templates
from cryopick_ray.pickers.weights import save_model, weights_digest
from cryopick_ray.picks.matching import match
from cryopick_ray.simulate.density import density
from cryopick_ray.simulate.gaussians import gaussian_projection
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.units import resampled_shape, resampled_to_source, working_pixel_size_A


@pytest.fixture(scope="module")
def network():
    return views()


@pytest.fixture(scope="module")
def picker(network):
    return TemplatePicker(network, card_for(network))


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def coefficients(patch, templates, mask):
    """Return the best product with a template, and the root of the sum of squares, in plain sums."""
    inside = patch[mask].astype(np.float64)
    inside = inside - inside.mean()
    return (templates[:, mask] @ inside).max(), np.sqrt((inside**2).sum())


def test_scores_are_those_of_a_direct_loop(picker, network):
    image = noise((23, 31))
    mask, templates = disc(PX).numpy(), network.templates.numpy().astype(np.float64)
    rim = len(mask) // 2
    padded = np.pad(image, rim, mode="reflect")
    fit, contrast = np.empty(image.shape), np.empty(image.shape)
    for y, x in np.ndindex(image.shape):
        patch = padded[y : y + len(mask), x : x + len(mask)]
        fit[y, x], contrast[y, x] = coefficients(patch, templates, mask)
    scores = score_map(picker, image)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, fit / np.maximum(contrast, np.median(contrast)), atol=1e-5)


def test_the_view_is_the_template_that_fits_best_there(picker, network, monkeypatch):
    image = noise((90, 130))
    found = picker.pick(image)
    rim = network.templates.shape[1] // 2
    padded = np.pad(image, rim, mode="reflect")
    fits = []
    for y, x in zip(np.rint(found.y).astype(int), np.rint(found.x).astype(int), strict=True):
        patch = padded[y : y + 2 * rim + 1, x : x + 2 * rim + 1]
        fits.append((network.templates.numpy() * patch).sum((1, 2)))
    view = found.more["view"]
    assert view.dtype == np.int16
    np.testing.assert_array_equal(view, np.argmax(fits, axis=1))
    assert len(np.unique(view)) > 5
    monkeypatch.setattr("cryopick_ray.pickers.template.picker.PEAKS", 3)
    np.testing.assert_array_equal(picker.pick(image).more["view"], view)


def test_a_template_in_an_image_is_its_own_view(picker, network):
    drawn = network.templates.numpy()[[3, 11, 17]]
    image = 0.01 * noise((60, 150))
    side = drawn.shape[1]
    for number, template in enumerate(drawn):
        image[20 : 20 + side, 15 + 45 * number : 15 + 45 * number + side] += template
    found = picker.pick(image)
    best = np.argsort(found.x[:3])
    assert found.score[:3].min() > 0.9
    assert found.more["view"][:3][best].tolist() == [3, 11, 17]


def test_tiles_leave_no_seam(network, picker, monkeypatch):
    image = noise((173, 211))
    whole = score_map(picker, image)  # one tile
    for side in (64, 100):
        monkeypatch.setattr("cryopick_ray.pickers.template.picker.TRANSFORM_PX", side)
        tiled = score_map(TemplatePicker(network, card_for(network)), image)
        np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_scores_are_correlations_whatever_the_grey_scale(picker):
    image = noise((60, 70))
    image[30:, 40:] = 5  # flat: no contrast to divide by
    scores = score_map(picker, image)
    assert np.abs(scores).max() <= 1
    np.testing.assert_allclose(score_map(picker, 100 * image + 30), scores, atol=1e-3)


def test_particles_in_noise_rank_first_and_are_centred(picker):
    rng = np.random.default_rng(1)
    truth = np.array([(y, x) for y in range(20, 200, 25) for x in range(20, 250, 25)])
    image = noise((210, 260), 2) * 0.25
    turns = Rotation.random(len(truth), rng=rng).as_matrix().astype(np.float32)
    for (y, x), turn in zip(truth, turns, strict=True):
        view = gaussian_projection(CENTRES_A @ turn.T, SIGMA_A, WEIGHT, 120 / PX, 18)
        image[y - 9 : y + 9, x - 9 : x + 9] -= view / view.max()
    found = picker.pick(image)
    hits = match(found.x, found.y, found.score, truth[:, 1], truth[:, 0], PX / 4) >= 0
    assert hits[: len(truth)].mean() > 0.95
    upside_down = picker.pick(-image)
    bright = match(upside_down.x, upside_down.y, upside_down.score, truth[:, 1], truth[:, 0], PX / 4) >= 0
    assert bright[: len(truth)].mean() < 0.2


def test_candidates_are_whole_separate_and_above_the_floor(picker):
    found = picker.pick(noise((90, 130)))
    assert len(found) > 10
    assert (found.score > FLOOR).all()
    for place, side in ((found.y, 90), (found.x, 130)):
        assert PX / 2 - 0.5 <= place.min() <= place.max() <= side - 1 - PX / 2 + 0.5
    y, x = np.rint(found.y), np.rint(found.x)
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    assert apart[np.triu_indices(len(found), 1)].min() > PX / 2


@pytest.mark.parametrize("shape", [(2, 3), (5, 40), (13, 13)])
def test_small_images_are_survived(picker, shape):
    assert np.isfinite(picker.pick(noise(shape)).score).all()


def test_images_without_pixels_to_compare_are_refused(picker):
    for image in (np.ones((40, 40), np.float32), np.full((40, 40), np.nan, np.float32)):
        with pytest.raises(MicrographError):
            picker.pick(image)


def test_a_saved_model_picks_the_same_bytes(tmp_path, network, picker):
    image = noise((64, 80))
    save_model(tmp_path / "m.safetensors", network.state_dict(), card_for(network))
    loaded = load_network_picker(tmp_path / "m.safetensors", particle_px=None, device="cpu")
    assert (loaded.name, loaded.particle_px) == ("template-lumps", PX)
    assert score_map(loaded, image).tobytes() == score_map(picker, image).tobytes()
    assert json.loads(json.dumps(loaded.settings())) == picker.settings()


def test_settings_tell_models_apart(network, picker):
    other = views(30.0)
    assert TemplatePicker(other, card_for(other)).settings() != picker.settings()


def test_another_scale_than_the_templates_is_refused(network):
    assert TemplatePicker(network, card_for(network), particle_px=12.0).particle_px == 12
    for size in (16.0, 0.0, float("nan")):
        with pytest.raises(UsageError, match=r"`particle_px` .* made for 12"):
            TemplatePicker(network, card_for(network), particle_px=size)
    with pytest.raises(UsageError, match="`device`"):
        TemplatePicker(network, card_for(network), device="nowhere")


def test_a_card_or_file_of_something_else_is_refused(tmp_path, network):
    with pytest.raises(ModelError, match="z-score"):
        TemplatePicker(network, card_for(network).model_copy(update={"normalisation": "z-score"}))
    with pytest.raises(ModelError, match="17 px; expected 120000001"):  # and nothing of that size is made
        TemplatePicker(network, card_for(network, 1e8))
    for spoilt in (2 * network.templates, network.templates + 0.01):
        changed = Templates("template", *spoilt.shape[:2])
        changed.load_state_dict({"templates": spoilt})
        with pytest.raises(ModelError, match="zero mean and unit norm"):
            TemplatePicker(changed, card_for(changed))
    for architecture, count, box_px in [
        ("unet", 3, 17),
        ("template", 0, 17),
        ("template", 10**9, 17),
        ("template", 3, 16),
        ("template", 3, 10**9 + 1),
    ]:
        with pytest.raises(ModelError):
            Templates(architecture, count, box_px)
    state = {"templates": network.templates[:3].clone()}
    card = card_for(network).model_copy(update={"digest": weights_digest(state)})
    save_model(tmp_path / "m.safetensors", state, card)
    with pytest.raises(ModelError, match=r"m\.safetensors.*templates"):
        load_network_picker(tmp_path / "m.safetensors", particle_px=None, device="cpu")


@pytest.mark.gpu
def test_a_gpu_gives_the_scores_of_the_cpu(network, picker):
    image = noise((300, 280))
    there = score_map(TemplatePicker(network, card_for(network), device="cuda"), image)
    np.testing.assert_allclose(there, score_map(picker, image), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "folder", "diameter_A", "pixel_size_A", "radius_px", "micrographs", "best_f1"),
    [
        ("apoferritin", "apoferritin-10146", 120, 1.5, 31, "*", 0.92),
        ("betagal", "betagal-10017", 190, 3.54, 27, "*1[45]_[135]?_[23]*", 0.80),
    ],
)
def test_real_particles_are_found(
    real_data, name, folder, diameter_A, pixel_size_A, radius_px, micrographs, best_f1
):
    voxel_A = diameter_A / PX / 2
    network = make_templates(density(load_molecule(name), voxel_A, 36), voxel_A, diameter_A, PX, 15)
    picker = TemplatePicker(network, card_for(network))
    truth = read_truth(real_data / folder)
    scores, hits, n_truth = [], [], 0
    paths = sorted((real_data / folder).glob(f"{micrographs}.mrc"))
    assert len(paths) > 2
    for path in paths:
        with mrcfile.open(path, permissive=True) as mrc:
            pixels = mrc.data.copy()
        shape = resampled_shape(pixels.shape, pixel_size_A, working_pixel_size_A(diameter_A, PX))
        found = picker.pick(prepare(pixels, shape).pixels)
        x, y = resampled_to_source(found.x, found.y, shape, pixels.shape)
        centres = truth.particles[path.stem]
        hits.append(match(x, y, found.score, *centres.T, radius_px) >= 0)
        scores.append(found.score)
        n_truth += len(centres)
    best, _ = curve(np.concatenate(scores), np.concatenate(hits), n_truth).best()
    assert best > best_f1
