import subprocess
import sys
from dataclasses import replace

import mrcfile
import numpy as np
import pytest
import torch
from eer_files import random_events, rendered, write_eer
from simulated_movies import (
    PIXEL_SIZE_A,
    drifting,
    path_of_drift,
    rms_px,
    specimen,
    write_mrc,
    write_tiff,
)

from cryopick_ray.errors import MicrographError, PixelSizeError, UsageError
from cryopick_ray.micrographs.exposure import read_exposure
from cryopick_ray.micrographs.movies.average import average_movie
from cryopick_ray.micrographs.movies.write_average import write_average
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.config import fill
from cryopick_ray.settings.run_settings import FrameSettings, IngestSettings, MovieSettings
from cryopick_ray.units import Optics

SIDE = 256
STILL = FrameSettings(align=False)


@pytest.fixture(scope="module")
def movie():
    """Frames of a drifting specimen, its path, and the frames of one at rest."""
    path = path_of_drift(24, 9)
    intensity = specimen(SIDE)
    return drifting(intensity, path, 2.0), path, drifting(intensity, np.zeros((24, 2)), 2.0)


@pytest.fixture(scope="module")
def mrc(movie, tmp_path_factory):
    return write_mrc(tmp_path_factory.mktemp("movie") / "m.mrcs", movie[0].astype(np.int16))


def likeness(image, other) -> float:
    """Return the correlation of two images away from their borders."""
    inside = slice(20, -20)
    return float(np.corrcoef(image[inside, inside].ravel(), other[inside, inside].ravel())[0, 1])


def test_without_motion_and_dose_it_is_the_mean(movie, mrc):
    average = average_movie(mrc, STILL)
    np.testing.assert_allclose(average.image, movie[0].mean(0), atol=2e-5)
    assert average.pixel_size_A == pytest.approx(PIXEL_SIZE_A)
    assert (average.frames, average.dose_weighted, average.warnings) == ((1, 24), False, ())
    assert not average.shifts_px.any()


def test_alignment_brings_back_what_drift_blurred(movie, mrc):
    _, path, still = movie
    average = average_movie(mrc, FrameSettings())
    assert rms_px(average.shifts_px, path) < 0.2
    truth = specimen(SIDE)[64:-64, 64:-64]
    aligned, blurred, best = (
        likeness(image, truth) for image in (average.image, average_movie(mrc, STILL).image, still.mean(0))
    )
    assert aligned > 0.95 * best
    assert aligned > blurred + 0.1


def test_frames_of_nothing_but_noise_are_left_where_they_are(tmp_path):
    noise = np.random.default_rng(12).poisson(1, (20, SIDE, SIDE)).astype(np.int16)
    average = average_movie(write_mrc(tmp_path / "m.mrc", noise), FrameSettings())
    assert not average.shifts_px.any()
    assert "`movies.group_frames`" in " ".join(average.warnings)


def test_every_format_gives_the_same_average(movie, mrc, tmp_path):
    tiff = average_movie(write_tiff(tmp_path / "m.tif", movie[0]), FrameSettings())
    assert tiff.pixel_size_A is None
    np.testing.assert_array_equal(tiff.image, average_movie(mrc, FrameSettings()).image)


def test_frames_asked_for_are_those_used(movie, mrc):
    average = average_movie(mrc, STILL.model_copy(update={"first_frame": 3, "last_frame": 10}))
    np.testing.assert_allclose(average.image, movie[0][2:10].mean(0), atol=2e-5)
    assert average.frames == (3, 10)
    with pytest.raises(MicrographError, match=r"24 frames.*`movies.last_frame`"):
        average_movie(mrc, FrameSettings(last_frame=25))


def test_grouped_frames_move_along_the_path(movie, mrc):
    _, path, _ = movie
    assert rms_px(average_movie(mrc, FrameSettings(group_frames=3)).shifts_px, path) < 0.5


def test_binning_crops_the_spectrum_and_keeps_mean_and_view(movie, mrc):
    average = average_movie(mrc, FrameSettings(binning=2))
    assert average.image.shape == (SIDE // 2, SIDE // 2)
    assert average.pixel_size_A == pytest.approx(2 * PIXEL_SIZE_A)
    assert average.image.mean() == pytest.approx(movie[0].mean(), rel=1e-5)
    full = average_movie(mrc, FrameSettings())
    np.testing.assert_allclose(average.shifts_px, full.shifts_px / 2)
    kept = np.fft.rfft2(full.image)[:50, :50] / full.image.size
    np.testing.assert_allclose(np.fft.rfft2(average.image)[:50, :50] / average.image.size, kept, atol=1e-5)


def test_dose_weighting_keeps_the_noise_and_damps_late_frames(tmp_path):
    rng = np.random.default_rng(9)
    frames = rng.poisson(3, (20, 128, 128)).astype(np.int16)
    frames[-1] += (np.indices((128, 128)).sum(0) % 2 * 40).astype(np.int16)  # the finest detail there is
    path = write_mrc(tmp_path / "m.mrc", frames, pixel_size_A=1.0)
    plain = average_movie(path, STILL)
    weighted = average_movie(path, STILL.model_copy(update={"dose_per_frame_e_A2": 2.0}))
    assert weighted.dose_weighted
    assert weighted.image.mean() == pytest.approx(plain.image.mean(), rel=1e-5)
    spectra = [np.abs(np.fft.fft2(one.image)) for one in (plain, weighted)]
    assert spectra[1][64, 64] < 0.1 * spectra[0][64, 64]
    for spectrum in spectra:
        spectrum[64, 64] = spectrum[0, 0] = 0
    assert (spectra[1] ** 2).mean() == pytest.approx((spectra[0] ** 2).mean(), rel=0.1)


def test_dose_weighting_needs_a_pixel_size(movie, tmp_path):
    path = write_tiff(tmp_path / "m.tif", movie[0])
    with pytest.raises(PixelSizeError, match="`pixel_size_A`"):
        average_movie(path, FrameSettings(dose_per_frame_e_A2=1.0))
    assert average_movie(path, FrameSettings(dose_per_frame_e_A2=1.0, pixel_size_A=1.1)).pixel_size_A == 1.1


def test_eer_electrons_are_all_in_the_average(tmp_path):
    rng = np.random.default_rng(10)
    shape = (64, 96)
    events = [random_events(rng, shape, 0.05) for _ in range(30)]
    path = write_eer(tmp_path / "m.eer", events, shape)
    average = average_movie(path, STILL.model_copy(update={"eer_grouping": 10}))
    assert average.image.sum() == pytest.approx(
        sum(rendered(event, shape, 1).sum() for event in events) / 3, rel=1e-4
    )
    assert average.pixel_size_A == pytest.approx(0.75)
    fine = {"eer_grouping": 10, "eer_upsampling": 2, "binning": 2.0}
    finer = average_movie(path, STILL.model_copy(update=fine))
    assert finer.image.shape == shape
    assert finer.pixel_size_A == pytest.approx(0.75)


def test_one_frame_is_a_movie_too(movie, tmp_path):
    path = write_mrc(tmp_path / "m.mrc", movie[0][:1].astype(np.int16))
    changed = abs(average_movie(path, STILL).image - movie[0][0]) > 1e-4
    assert changed.sum() < 5  # counts that are rare enough to be taken for a hot pixel's


def test_equal_movies_give_equal_averages(mrc):
    first, second = (average_movie(mrc, FrameSettings(dose_per_frame_e_A2=0.9)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)


def test_the_voltage_that_a_run_is_told_weights_the_doses_unless_the_list_says_one(mrc):
    source = MicrographSource("m.mrcs", "d", mrc, "m.mrcs", kind="movie")
    given = {"movies": MovieSettings(dose_per_frame_e_A2=2.0), "pixel_size_A": PIXEL_SIZE_A}

    def image(voltage_kV, optics=None):
        settings = IngestSettings(**given, voltage_kV=voltage_kV)
        return read_exposure(replace(source, optics=optics), settings).micrograph.pixels

    assert not np.array_equal(image(300), image(100))
    np.testing.assert_array_equal(image(300), image(100, Optics(300.0)))


@pytest.mark.parametrize("half", [False, True])
def test_a_written_average_reads_back(mrc, tmp_path, half):
    average = average_movie(mrc, FrameSettings())
    path = tmp_path / "m.mrc"
    write_average(path, average, half=half)
    found = read_micrograph(path)
    assert found.pixel_size_A == pytest.approx(PIXEL_SIZE_A)
    assert found.pixels.dtype == (np.float16 if half else np.float32)
    np.testing.assert_allclose(found.pixels, average.image, rtol=1e-3 if half else 0)
    with mrcfile.open(path) as mrc_file:
        assert mrc_file.header.mode == (12 if half else 2)
    before = path.read_bytes()
    write_average(path, average, half=half)
    assert path.read_bytes() == before


def test_what_float16_cannot_hold_is_not_written(mrc, tmp_path):
    average = average_movie(mrc, STILL)
    average.image[0, 0] = 1e5
    with pytest.raises(MicrographError, match="float16"):
        write_average(tmp_path / "m.mrc", average, half=True)
    assert not list(tmp_path.iterdir())


def test_settings_are_checked():
    with pytest.raises(UsageError, match="last_frame"):
        fill(FrameSettings, first_frame=5, last_frame=4)
    with pytest.raises(UsageError, match="`gain_rot`"):
        fill(FrameSettings, gain_rot=4)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_average(mrc):
    settings = FrameSettings(dose_per_frame_e_A2=0.9)
    there, here = average_movie(mrc, settings, torch.device("cuda")), average_movie(mrc, settings)
    assert rms_px(there.shifts_px, here.shifts_px) < 0.02
    assert likeness(there.image, here.image) > 0.999


PEAK = """
import resource, sys
from pathlib import Path
import torch
from cryopick_ray.micrographs.movies.average import average_movie
from cryopick_ray.settings.run_settings import FrameSettings
torch.set_num_threads(1)
few, many = map(Path, sys.argv[1:])
settings = FrameSettings(dose_per_frame_e_A2=1.0, pixel_size_A=1.0)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
average_movie(few, settings)
first = peak()
average_movie(many, settings)
print(first - before, peak() - first)
"""


def test_memory_is_that_of_few_frames_however_many_there_are(tmp_path):
    shape = (1400, 2048)  # binned by 1 to be aligned, the worst there is
    frame = np.random.default_rng(11).poisson(1, shape).astype(np.int8)
    few, many = (write_mrc(tmp_path / f"{count}.mrc", np.stack([frame] * count)) for count in (2, 12))
    done = subprocess.run([sys.executable, "-c", PEAK, few, many], capture_output=True, text=True, check=True)
    for_few, for_many = map(int, done.stdout.split())
    frame_bytes = 4 * frame.size
    assert for_few < 16 * frame_bytes
    assert for_many < 10 * 1.2 * frame_bytes  # the small copies that are aligned: here, one each
