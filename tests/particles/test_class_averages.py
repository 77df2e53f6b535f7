"""The pieces of classification: packing, turning, comparing, adding up."""

import boxed
import numpy as np
import pytest
import torch

from cryopick_ray.particles.classes.components import Components
from cryopick_ray.particles.classes.expectation import Expectation, PoseSearch
from cryopick_ray.particles.classes.model import ClassModel, ClassSums, averages, picture_of
from cryopick_ray.particles.classes.turning import Turning, psi_grid
from cryopick_ray.particles.particle_ctf import ctfs
from cryopick_ray.simulate.density import box_for, density
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.projection import euler_to_rotations, project

COMPONENTS = Components(boxed.BOX_PX, 14)


def smooth(kind="bent"):
    """Return a picture that the components hold, but for its mean, as ``(1, h, w)``."""
    return torch.from_numpy(boxed.picture(kind))[None]


def test_components_hold_an_image_and_give_it_back_in_any_box():
    image = smooth()
    back = COMPONENTS.images(COMPONENTS.of_images(image))
    assert back == pytest.approx(image - image.mean(), abs=0.01)
    larger = COMPONENTS.images(COMPONENTS.of_images(image), 64)
    assert larger[:, ::2, ::2] == pytest.approx(back, abs=1e-5)


def test_noise_of_variance_one_has_variance_one_in_every_component():
    noise = torch.randn((2000, boxed.BOX_PX, boxed.BOX_PX), generator=torch.Generator().manual_seed(0))
    variance = (COMPONENTS.of_images(noise).abs() ** 2).mean(dim=0)
    assert variance == pytest.approx(torch.ones(len(COMPONENTS)), abs=0.15)


def test_a_shift_moves_an_image_by_whole_pixels_and_parts_of_them():
    values = COMPONENTS.of_images(smooth())
    moved = COMPONENTS.images(values * COMPONENTS.shifts(torch.tensor([[3.0, -2.0]])))
    assert moved == pytest.approx(torch.roll(COMPONENTS.images(values), (-2, 3), (1, 2)), abs=1e-4)
    half = COMPONENTS.shifts(torch.tensor([[0.5, 0.0]]))
    assert values * half * half == pytest.approx(values * COMPONENTS.shifts(torch.tensor([[1.0, 0.0]])))


def test_averages_turn_as_relions_psi_turns_projections():
    molecule = load_molecule("bent-rod-5")
    side = box_for(molecule, 8.0)
    volume = density(molecule, 8.0, side)
    angles = [(0.0, 40.0, 0.0), (0.0, 40.0, 73.0)]
    upright, turned = torch.from_numpy(project(volume, euler_to_rotations(angles)))
    components = Components(side, side // 3)
    made = Turning(components, side, (73.0,)).turn(upright[None])[0]
    expected = components.of_images(turned[None])
    assert (made - expected).abs().norm() < 0.05 * expected.abs().norm()


def test_turning_back_undoes_turning():
    turning = Turning(COMPONENTS, boxed.BOX_PX, psi_grid(30))
    picture = smooth("long")
    back = turning.turn_back(turning.turn(picture)) / 12
    expected = COMPONENTS.images(COMPONENTS.of_images(picture))
    assert (back - expected)[:, 6:-6, 6:-6].abs().max() < 0.05 * expected.max()


def search(psi_step_deg=12.0):
    return PoseSearch(COMPONENTS, boxed.BOX_PX, boxed.PIXEL_SIZE_A, psi_step_deg, 12.0, 24.0, 14)


def model(*kinds):
    pictures = torch.cat([smooth(kind) for kind in kinds])
    noise = torch.full((COMPONENTS.radius + 1,), 0.25)
    return ClassModel(pictures, noise, 12.0, 14.0)


def test_images_find_their_class_turn_and_shift():
    rng = np.random.default_rng(1)
    n = 40
    kinds = ["long" if i % 2 else "bent" for i in range(n)]
    psi, shift = rng.uniform(0, 360, n), rng.uniform(-2, 2, (n, 2))
    # An image's origin brings it back, so it was moved the other way.
    pictures = np.stack(
        [boxed.turned(boxed.picture(k), p, -s) for k, p, s in zip(kinds, psi, shift, strict=True)]
    )
    parameters = boxed.some_ctfs(rng, n)
    images = COMPONENTS.of_images(torch.from_numpy(boxed.seen(pictures, parameters, rng, 0.3)))
    ctf = COMPONENTS.of_spectra(ctfs(parameters, boxed.BOX_PX, boxed.PIXEL_SIZE_A))
    poses = Expectation(search(), model("bent", "long")).add(images, ctf)
    right = poses.label.numpy() == np.arange(n) % 2
    assert right.mean() > 0.9
    off_deg = (poses.psi_deg.numpy() - psi + 180) % 360 - 180
    assert np.median(np.abs(off_deg[right])) < 5
    assert np.mean(np.abs(off_deg[right]) < 12) > 0.9
    off_px = np.abs(poses.shift_A.numpy() / boxed.PIXEL_SIZE_A - shift)
    assert np.median(off_px[right]) < 0.6


def test_sums_give_the_pictures_back_and_the_noise_they_were_seen_with():
    rng = np.random.default_rng(2)
    n, noise = 300, 0.7
    pictures = np.stack(
        [boxed.turned(boxed.picture("bent"), rng.uniform(0, 360), rng.normal(0, 1, 2)) for _ in range(n)]
    )
    parameters = boxed.some_ctfs(rng, n)
    images = COMPONENTS.of_images(torch.from_numpy(boxed.seen(pictures, parameters, rng, noise)))
    ctf = COMPONENTS.of_spectra(ctfs(parameters, boxed.BOX_PX, boxed.PIXEL_SIZE_A))
    expectation = Expectation(search(), model("bent"))
    for start in range(0, n, 50):
        expectation.add(images[start : start + 50], ctf[start : start + 50])
    sums = expectation.sums()
    per_image = sums.residual / COMPONENTS.sizes.clamp(min=1) / n
    assert per_image[3:] == pytest.approx(torch.full((12,), noise**2), rel=0.1)
    made, _ = averages(sums, COMPONENTS, per_image.clamp(min=0.1))
    found = picture_of(made, COMPONENTS, boxed.BOX_PX, 28.0)[0]
    expected = picture_of(COMPONENTS.of_images(smooth()), COMPONENTS, boxed.BOX_PX, 28.0)[0]
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.97
    # Grey values are those of the particle, so that another program can go on with them.
    assert (found * expected).sum() / (expected**2).sum() == pytest.approx(1, abs=0.08)


def test_sums_of_parts_are_the_sum_of_all():
    rng = np.random.default_rng(3)
    pictures = np.stack([boxed.picture("bent")] * 20)
    images = COMPONENTS.of_images(torch.from_numpy(boxed.seen(pictures, None, rng)))
    ctf = torch.ones(images.shape)
    expectation = Expectation(search(30.0), model("bent", "long"))
    expectation.add(images, ctf)
    whole = expectation.sums()
    parts = []
    for half in (slice(0, 7), slice(7, 20)):
        expectation.add(images[half], ctf[half])
        parts.append(expectation.sums())
    both = parts[0] + parts[1]
    for name in ("signal", "transfer", "residual", "weight", "offset_A2"):
        found, expected = getattr(both, name).numpy(), getattr(whole, name).numpy()
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_an_average_of_noise_alone_is_held_down():
    generator = torch.Generator().manual_seed(4)
    noise = COMPONENTS.of_images(torch.randn((50, boxed.BOX_PX, boxed.BOX_PX), generator=generator))
    expectation = Expectation(search(), model("bent"))
    expectation.add(noise * 1e-3, torch.ones(noise.shape))  # where nothing is to be aligned to
    sums = expectation.sums()
    made, snr = averages(sums, COMPONENTS, torch.ones(COMPONENTS.radius + 1))
    assert made.abs().max() < 1e-3
    assert snr.max() < 0.1


def test_a_class_of_few_images_is_held_down_for_its_noise_and_no_more():
    rng = np.random.default_rng(5)
    counts = torch.tensor([8.0, 400.0])
    images = [
        COMPONENTS.of_images(
            torch.from_numpy(boxed.seen(np.stack([boxed.picture("bent")] * n), None, rng, 2.0))
        )
        for n in counts.int().tolist()
    ]
    signal = torch.stack([image.sum(dim=0) for image in images])
    transfer = counts[:, None].expand(-1, len(COMPONENTS))
    sums = ClassSums(signal, transfer, torch.zeros(COMPONENTS.radius + 1), counts, torch.zeros(()))
    made, _ = averages(sums, COMPONENTS, torch.full((COMPONENTS.radius + 1,), 4.0))
    # What is added to the number of images: noise over signal, which is the same particle's in both.
    added = (signal / made).real - counts[:, None]
    low = slice(0, COMPONENTS.count(5))
    assert added[0, low] == pytest.approx(added[1, low], rel=0.01, abs=0.01)
