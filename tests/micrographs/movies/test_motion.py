import numpy as np
import pytest
import scipy.ndimage
import torch
from simulated_movies import MARGIN_PX, drifting, path_of_drift, rms_px, specimen

from cryopick_ray.micrographs.movies.align import ImageStack, estimate_motion
from cryopick_ray.micrographs.movies.first_pass import LOST_PX, group_edges
from cryopick_ray.micrographs.movies.path import smooth
from cryopick_ray.micrographs.movies.shift import ShiftedSum, blocks
from cryopick_ray.micrographs.movies.spectra import Spectra
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.settings.run_settings import FrameSettings

CPU = torch.device("cpu")
SIDE = 320


@pytest.fixture(scope="module")
def intensity():
    return specimen(SIDE)


def blobs(side: int, contrast: float) -> np.ndarray:
    """Return the intensity of round shadows of 20 px and of nothing finer, with ``MARGIN_PX`` around."""
    rng = np.random.default_rng(0)
    whole = side + 2 * MARGIN_PX
    shadow = np.zeros((whole, whole), np.float32)
    np.add.at(shadow, tuple(rng.integers(0, whole, (2, whole * whole // 6400))), 1)
    shadow = scipy.ndimage.gaussian_filter(shadow, 20)
    return 1 - contrast * shadow / shadow.max()


def motion(stack: ImageStack) -> np.ndarray:
    shifts, error = estimate_motion(stack)
    assert error < 0.5
    return shifts


def images(frames, unit: float = 1.0) -> ImageStack:
    stack = ImageStack(len(frames), frames[0].shape, CPU)
    for number, frame in enumerate(frames):
        stack[number][:] = torch.from_numpy(frame) * unit
    return stack


@pytest.mark.parametrize(
    ("count", "length_px", "electrons"),
    [(20, 2.0, 2.0), (30, 8.0, 1.0), (30, 50.0, 1.0), (5, 10.0, 4.0), (2, 5.0, 20.0)],
)
def test_known_drift_is_found(intensity, count, length_px, electrons):
    path = path_of_drift(count, length_px)
    found = motion(images(drifting(intensity, path, electrons)))
    assert found.mean(0) == pytest.approx(0, abs=1e-9)
    assert rms_px(found, path) < 0.2


def test_a_still_movie_stays(intensity):
    path = np.zeros((20, 2))
    assert rms_px(motion(images(drifting(intensity, path, 1.0))), path) < 0.2


def test_a_jump_is_rounded_by_less_than_a_tenth(intensity):
    path = np.zeros((20, 2))
    path[7:, 0] = 6
    found = motion(images(drifting(intensity, path, 4.0)))
    assert rms_px(found, path) < 0.6


@pytest.mark.parametrize(("count", "electrons"), [(20, 0.3), (8, 1.0), (40, 0.3)])
def test_few_electrons_are_enough_where_there_are_many_pixels(count, electrons):
    path = path_of_drift(count, 12)
    found = motion(images(drifting(specimen(768), path, electrons)))
    assert rms_px(found, path) < 0.2


@pytest.mark.parametrize(("count", "side"), [(3, 128), (20, 128), (60, 96), (10, 600)])
def test_a_path_of_noise_is_called_wrong(count, side):
    noise = np.random.default_rng(count).poisson(1, (count, side, side))
    assert estimate_motion(images(noise))[1] > LOST_PX


@pytest.mark.parametrize(("count", "electrons", "binning"), [(20, 3.2, 2), (10, 12.8, 4)])
def test_a_wrong_path_is_called_wrong_though_it_has_settled(count, electrons, binning):
    path = path_of_drift(count, 5)
    frames = drifting(blobs(512, contrast=0.02), path, electrons)
    found, error = estimate_motion(images(frames), binning)
    assert rms_px(found, path) > LOST_PX
    assert error > LOST_PX


def test_the_error_is_that_of_the_path(intensity):
    paths = [path_of_drift(12, 6, seed) for seed in range(8)]
    estimates = [
        estimate_motion(images(drifting(intensity, path, 1.5, seed))) for seed, path in enumerate(paths)
    ]
    true = np.mean([rms_px(found, path) ** 2 for (found, _), path in zip(estimates, paths, strict=True)])
    assert 0.3 < np.mean([error**2 for _, error in estimates]) / true < 3


@pytest.mark.parametrize("unit", [1e-20, 1e25])
def test_the_unit_of_counts_does_not_matter(intensity, unit):
    frames = drifting(intensity, path_of_drift(8, 5.0), 4.0)
    assert rms_px(motion(images(frames, unit)), motion(images(frames))) < 0.01


def test_images_without_content_do_not_move():
    assert not motion(images(np.full((8, 64, 49), 3))).any()


def shifted_sum(image: torch.Tensor, shape, x_px: float = 0.0, y_px: float = 0.0) -> torch.Tensor:
    total = ShiftedSum(tuple(image.shape), shape, 1.0, None, CPU)
    total.add(((rows, image[rows]) for rows in blocks(len(image), CPU)), x_px, y_px)
    return total.image()


def test_an_exact_shift_of_an_image_is_undone(intensity):
    image = torch.from_numpy(intensity[:128, :96].copy())
    moved = shifted_sum(image, (128, 96), 5.0, -3.0)
    torch.testing.assert_close(moved, torch.roll(image, (3, -5), (0, 1)))


@pytest.mark.parametrize("shape", [(40, 64), (41, 63), (40, 65), (128, 96)])
def test_a_sum_in_fewer_pixels_is_the_resized_image(intensity, shape):
    image = intensity[:128, :96].copy()
    wanted = np.fft.rfft2(fourier_resize(image, shape), norm="forward")
    if shape != image.shape:  # the new Nyquist frequency is left out
        wanted[shape[0] // 2] *= shape[0] % 2
        wanted[:, -1] *= shape[1] % 2
    found = np.fft.rfft2(shifted_sum(torch.from_numpy(image), shape).numpy(), norm="forward")
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("shape", [(128, 96), (90, 131)])
def test_frames_are_weighted_one_after_the_other(intensity, shape):
    frames = [torch.from_numpy(intensity[start:][: shape[0], : shape[1]].copy()) for start in (0, 20, 40)]
    first = torch.rand(shape[0], shape[1] // 2 + 1, generator=torch.Generator().manual_seed(3))
    decay = 0.5 + first.flip(0) / 2
    total = ShiftedSum(shape, shape, first, decay, CPU)
    for frame in frames:
        total.add(((rows, frame[rows]) for rows in blocks(len(frame), CPU)), 0.0, 0.0)
    wanted = sum(torch.fft.rfft2(frame) * first * decay**number for number, frame in enumerate(frames))
    torch.testing.assert_close(total.image(), torch.fft.irfft2(wanted, s=shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 64), (60, 97)])
def test_images_moved_back_are_likest_their_sum_where_they_are(intensity, shape):
    rest = intensity[40:][: shape[0], : shape[1]]
    shifts = np.array([[0.0, 0.0], [3.0, -2.0], [-1.0, 2.0]])
    frames = np.stack([np.roll(rest, (int(y), int(x)), (0, 1)) for x, y in shifts])
    values = torch.fft.rfft2(torch.from_numpy(frames), norm="forward")
    spectra = Spectra.whole(values, shape)
    flat = torch.ones(values.shape[1:])
    total = values.sum(0)
    for number, found in enumerate(spectra.correlations(total, flat, 4)):
        others = frames.sum(0, dtype=np.float64) - frames[number]
        wanted = np.fft.irfft2(np.conj(np.fft.rfft2(others)) * np.fft.rfft2(frames[number]), s=shape)
        wanted = np.roll(wanted, (4, 4), (0, 1))[:9, :9] / rest.size
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
    spectra.move(shifts)
    for found in spectra.correlations(3 * spectra.values[0], flat, 4):
        assert np.unravel_index(found.argmax(), found.shape) == (4, 4)


def test_smoothing_takes_noise_and_leaves_the_path():
    rng = np.random.default_rng(8)
    path = path_of_drift(40, 10)
    noisy = path + rng.normal(0, 0.3, path.shape)
    assert rms_px(smooth(noisy), path) < 0.7 * rms_px(noisy, path)
    assert rms_px(smooth(path), path) < 0.05
    np.testing.assert_array_equal(smooth(noisy[:5]), noisy[:5])


@pytest.mark.parametrize("count", [1, 2, 7, 40, 500])
@pytest.mark.parametrize(
    "given", [{}, {"group_frames": 3}, {"dose_per_frame_e_A2": 0.1, "pixel_size_A": 1.0}]
)
def test_groups_hold_every_frame_once(count, given):
    edges = group_edges(count, FrameSettings(**given))
    sizes = np.diff(edges)
    assert edges[0] == 0
    assert edges[-1] == count
    assert sizes.min() >= 1
    assert sizes.max() <= sizes.min() + 1
    assert len(sizes) <= 128
