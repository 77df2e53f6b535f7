from pathlib import Path

import mrcfile
import numpy as np
import pytest
import scipy.fft
import starfile

from cryopick_ray.evaluation.curves import curve
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.pickers.log import LogPicker
from cryopick_ray.picks.matching import match
from cryopick_ray.settings.config import read_yaml
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.simulate.spectrum import grey_statistics, particle_snr, radial_power
from cryopick_ray.units import resampled_shape, resampled_to_source, working_pixel_size_A

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MICROGRAPHS = 3
APOFERRITIN_PX_A, BETAGAL_PX_A = 1.5, 3.54
BORDER_PX = 60  # streaks along the border of the real beta-galactosidase
BINNING = 4
BETAGAL_MICROGRAPHS = 2


def simulated(name, count):
    settings = simulation_settings(read_yaml(EXAMPLES / f"{name}.yaml"))
    molecules = [load_molecule(molecule) for molecule in settings.molecules]
    made = [simulate(settings, molecules, number) for number in range(count)]
    truths = [(m.scene.x_px[m.scene.pickable], m.scene.y_px[m.scene.pickable]) for m in made]
    return [(m.pixels, *truth) for m, truth in zip(made, truths, strict=True)]


def real(folder, names="*.mrc"):
    found = []
    for path in sorted(folder.glob(names)):
        with mrcfile.open(path, permissive=True) as mrc:
            pixels = mrc.data.astype(np.float32)
        star = starfile.read(path.with_suffix(".star"))
        found.append((pixels, star.rlnCoordinateX.to_numpy(float), star.rlnCoordinateY.to_numpy(float)))
    return found


@pytest.fixture(scope="module")
def apoferritin(real_data):
    return simulated("apoferritin", MICROGRAPHS), real(real_data / "apoferritin-10146")


@pytest.fixture(scope="module")
def betagal(real_data):
    folder = real_data / "betagal-10017"
    ours = [denoised(pixels) for pixels, _, _ in simulated("betagal", BETAGAL_MICROGRAPHS)]
    theirs = [pixels for name in ("*15_36*", "*16_44*") for pixels, _, _ in real(folder, f"{name}.mrc")]
    return [[image[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] for image in set_] for set_ in (ours, theirs)]


def denoised(pixels):
    """The real set's low-pass, as measured on it: power exp(-(75 A k)^3)."""
    k = np.hypot(
        scipy.fft.fftfreq(pixels.shape[0], BETAGAL_PX_A)[:, None],
        scipy.fft.rfftfreq(pixels.shape[1], BETAGAL_PX_A),
    )
    passed = np.exp(-((75 * k) ** 3) / 2).astype(np.float32)
    return scipy.fft.irfft2(scipy.fft.rfft2(pixels) * passed, pixels.shape)


def log_spectrum(images, pixel_size_A, coarsest_A, finest_A):
    spectra = [radial_power((i - i.mean()) / i.std(), pixel_size_A, 100) for i in images]
    k = spectra[0][0]
    band = (k > 1 / coarsest_A) & (k < 1 / finest_A)
    return np.mean([np.log(power[band]) for _, power in spectra], axis=0)


def binned(image):
    height, width = (side // BINNING * BINNING for side in image.shape)
    blocks = image[:height, :width].reshape(height // BINNING, BINNING, width // BINNING, BINNING)
    return blocks.mean((1, 3))


def snr(micrographs):
    to_binned = [((x + 0.5) / BINNING - 0.5, (y + 0.5) / BINNING - 0.5) for _, x, y in micrographs]
    values = [particle_snr(binned(m[0]), *at, 10) for m, at in zip(micrographs, to_binned, strict=True)]
    return np.median(values)


def log_picker_f1(micrographs):
    picker = LogPicker()
    scores, hits, particles = [], [], 0
    for pixels, x_px, y_px in micrographs:
        working_A = working_pixel_size_A(120, picker.particle_px)
        shape = resampled_shape(pixels.shape, APOFERRITIN_PX_A, working_A)
        found = picker.pick(prepare(pixels, shape).pixels)
        x, y = resampled_to_source(found.x, found.y, shape, pixels.shape)
        scores.append(found.score)
        hits.append(match(x, y, found.score, x_px, y_px, 31) >= 0)
        particles += len(x_px)
    return curve(np.concatenate(scores), np.concatenate(hits), particles).best()[0]


def test_apoferritin_has_the_spectrum_of_the_real_one(apoferritin):
    ours, theirs = (
        log_spectrum([pixels for pixels, _, _ in micrographs], APOFERRITIN_PX_A, 250, 3.1)
        for micrographs in apoferritin
    )
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.15


def test_apoferritin_has_the_grey_values_of_the_real_one(apoferritin):
    ours, theirs = ([grey_statistics(pixels) for pixels, _, _ in some] for some in apoferritin)
    for name, bound in (("skewness", 0.04), ("excess_kurtosis", 0.06)):
        difference = np.mean([getattr(g, name) for g in ours]) - np.mean([getattr(g, name) for g in theirs])
        assert abs(difference) < bound, name


def test_apoferritin_stands_out_as_the_real_one_within_a_factor_of_two(apoferritin):
    ours, theirs = (snr(micrographs) for micrographs in apoferritin)
    assert 0.5 < ours / theirs < 2


def test_the_blob_detector_scores_on_simulated_apoferritin_as_on_the_real_one(apoferritin):
    ours, theirs = (log_picker_f1(micrographs) for micrographs in apoferritin)
    assert theirs == pytest.approx(0.875, abs=0.01)
    assert abs(ours - theirs) < 0.1


def test_betagal_has_the_shape_of_the_real_spectrum_below_its_low_pass(betagal):
    # Only the shape: total power hangs on slow variations that the band leaves out.
    ours, theirs = (log_spectrum(images, BETAGAL_PX_A, 300, 35) for images in betagal)
    assert np.std(ours - theirs) < 0.45


def test_betagal_has_the_grey_values_of_the_real_one(betagal):
    ours, theirs = ([grey_statistics(np.ascontiguousarray(i)) for i in images] for images in betagal)
    for name, bound in (("skewness", 0.4), ("excess_kurtosis", 1.2)):
        difference = np.mean([getattr(g, name) for g in ours]) - np.mean([getattr(g, name) for g in theirs])
        assert abs(difference) < bound, name
