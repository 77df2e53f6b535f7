"""Side by side with Topaz itself, run as it is by the Python that CRYOPICK_TOPAZ names (or this one)."""

import importlib.util
import os
import subprocess
import sys

import mrcfile
import numpy as np
import pytest
import torch
from scipy import fft
from score_map import score_map

from cryopick_ray.pickers.families import load_network_picker
from cryopick_ray.pickers.topaz.mixture import normalise

ORACLE = """
import sys, numpy, torch
from topaz.model.factory import load_model
model = load_model(sys.argv[1]).eval()
image = torch.from_numpy(numpy.load("image.npy"))[None, None]
with torch.no_grad():
    numpy.save("strided.npy", model(image)[0, 0].numpy())
    model.fill()
    numpy.save("dense.npy", model(image)[0, 0].numpy())
"""


@pytest.fixture(scope="session")
def topaz_python():
    here = all(importlib.util.find_spec(module) for module in ("topaz", "h5py"))
    python = os.environ.get("CRYOPICK_TOPAZ", sys.executable if here else None)
    if python is None:
        pytest.skip(
            "no Topaz: set CRYOPICK_TOPAZ to a Python that has it, or install topaz-em (--no-deps) and h5py"
        )
    return python


@pytest.fixture(scope="session")
def cropped(real_data):
    """A real micrograph, Fourier-cropped by 3."""
    source = mrcfile.read(real_data / "apoferritin-10146" / "May08_03_05_02.mrc").astype(np.float32)
    spectrum = fft.fftshift(fft.fft2(source))
    height, width = (2 * (side // 6) for side in source.shape)
    top, left = (source.shape[0] - height) // 2, (source.shape[1] - width) // 2
    crop = fft.ifftshift(spectrum[top : top + height, left : left + width])
    return fft.ifft2(crop).real.astype(np.float32)


@pytest.mark.parametrize("name", ["resnet8_u64", "resnet16_u64"])
def test_scores_are_topazs_own(name, topaz_python, topaz_weights, cropped, tmp_path):
    image = normalise(cropped[:240, :253])
    np.save(tmp_path / "image.npy", image)
    subprocess.run([topaz_python, "-c", ORACLE, name], cwd=tmp_path, check=True)
    picker = load_network_picker(topaz_weights / f"{name}.sav", particle_px=None, device="cpu")
    inside = np.s_[45:-45, 45:-45]  # no pixel of it sees the padding
    ours, theirs = score_map(picker, cropped[:240, :253]), np.load(tmp_path / "dense.npy")
    assert theirs.shape == ours.shape
    assert theirs[inside].std() > 1
    assert np.abs(ours - theirs)[inside].max() < 1e-3
    assert np.abs(ours - theirs).max() < 1e-3
    with torch.inference_mode():
        strided = picker.network(torch.from_numpy(image)[None, None])[0].numpy()
    np.testing.assert_allclose(strided, np.load(tmp_path / "strided.npy"), atol=1e-3)
