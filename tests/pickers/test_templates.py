"""Templates: projections of a map, normalised within their disc."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from template_models import CENTRES_A, PX, SIGMA_A, WEIGHT, lumps, views

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.template.templates import disc
from cryopick_ray.simulate.gaussians import gaussian_projection


@pytest.fixture(scope="module")
def network():
    return views()


def ball(box=40):
    z, y, x = np.mgrid[:box, :box, :box] - box // 2
    return np.clip(10.5 - np.sqrt(x * x + y * y + z * z), 0, 1).astype(np.float32)


def test_templates_are_unit_vectors_of_zero_mean_within_their_disc(network):
    mask = disc(PX)
    inside = network.templates[:, mask]
    assert network.templates.shape[1:] == mask.shape
    assert not network.templates[:, ~mask].any()
    torch.testing.assert_close(inside.mean(dim=1), torch.zeros(len(inside)), atol=1e-6, rtol=0)
    torch.testing.assert_close(inside.norm(dim=1), torch.ones(len(inside)))


@pytest.mark.parametrize("step_deg", [15.0, 25.0])
def test_every_view_is_like_a_template(step_deg):
    pixel_A, mask = 120 / PX, disc(PX)
    known = views(step_deg).templates[:, mask].numpy()
    best = []
    for turn in Rotation.random(60, rng=np.random.default_rng(0)).as_matrix().astype(np.float32):
        view = gaussian_projection(CENTRES_A @ turn.T, SIGMA_A, WEIGHT, pixel_A, len(mask) + 1)
        seen = -view[1:, 1:][mask.numpy()]
        seen -= seen.mean()
        best.append((known @ seen).max() / np.linalg.norm(seen))
    assert min(best) > 0.91


def test_no_two_templates_are_alike(network):
    flat = network.templates.flatten(1)
    alike = (flat @ flat.T).fill_diagonal_(-1)
    assert len(flat) > 20
    assert alike.max() < 0.94


def test_a_ball_looks_the_same_from_everywhere_and_is_dark():
    templates = views(volume=ball()).templates
    assert len(templates) == 1
    middle = templates.shape[-1] // 2
    assert templates[0, middle, middle] < 0 < templates[0, middle, 1]
    torch.testing.assert_close(templates, templates.flip(-1), atol=5e-3, rtol=0)
    torch.testing.assert_close(templates, templates.flip(-2), atol=5e-3, rtol=0)


def test_templates_do_not_depend_on_the_voxels_of_the_map(network):
    finer = views(volume=lumps(3.0, 80), voxel_size_A=3.0).templates
    first = min(len(finer), len(network.templates), 5)
    alike = (finer[:first] * network.templates[:first]).sum(dim=(1, 2))
    assert alike.min() > 0.99


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"diameter_A": float("nan")}, "`diameter_A` nan"),
        ({"diameter_A": -3.0}, "`diameter_A` -3"),
        ({"particle_px": 3.0}, "`particle_px` 3: expected 6"),
        ({"particle_px": 1e9}, "`particle_px` 1e"),
        ({"angular_step_deg": 1.0}, "`angular_step_deg` 1: expected 7"),
        ({"angular_step_deg": float("inf")}, "`angular_step_deg` inf"),
        ({"voxel_size_A": 0.0}, "voxels of 0 A"),
        ({"volume": np.zeros((4, 5, 6), np.float32)}, "expected a cube"),
        ({"volume": np.zeros((48, 48, 48), np.float32)}, "no density"),
        ({"volume": np.full((48, 48, 48), np.nan, np.float32)}, "no density"),
    ],
)
def test_what_cannot_be_projected_is_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        views(**changes)


def test_too_many_templates_are_refused_with_the_remedy():
    noise = np.random.default_rng(0).normal(size=(24, 24, 24)).astype(np.float32)
    with pytest.raises(UsageError, match="`angular_step_deg` 10 makes more than 1000"):
        views(10.0, volume=noise, voxel_size_A=10.0)
