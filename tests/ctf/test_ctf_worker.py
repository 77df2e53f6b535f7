"""What a worker makes of files: fine pixels, areas without data, and microscopes known in part."""

import json

import mrcfile
import numpy as np
import pytest

from cryopick_ray.micrographs.ctf.ctf_settings import CtfSettings
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.simulate.optics import Defocus
from cryopick_ray.stages.ctf_worker import CtfWorker
from cryopick_ray.units import Optics
from tests.ctf.ctf_images import OPTICS, thon

LENS = Defocus(18_400, 17_700, 60)


@pytest.fixture(scope="module")
def plain():
    return thon(LENS, pixel_size_A=1.2)


def fitted(path, pixels, pixel_size_A, *, given=OPTICS, **said):
    """Return what a worker made of pixels in a file, and of what a list says of it."""
    with mrcfile.new(path) as mrc:
        mrc.set_data(pixels)
        mrc.voxel_size = pixel_size_A
    worker = CtfWorker(IngestSettings(), given, CtfSettings())
    report = worker.process([MicrographSource(path.name, "set", path, path.name, **said)])
    assert report.failures == ()
    (made,) = report.made
    return made


def assert_is_lens(made, within_A):
    assert not made.fit.doubts
    assert made.fit.defocus_u_A == pytest.approx(LENS.u_A, abs=within_A)
    assert made.fit.defocus_v_A == pytest.approx(LENS.v_A, abs=within_A)


def test_super_resolution_has_the_same_defocus(tmp_path, plain):
    fine = fourier_resize(plain, (2048, 2048))
    made = fitted(tmp_path / "fine.mrc", fine, 0.6)
    assert_is_lens(made, 100)
    assert made.pixel_size_A == pytest.approx(0.6)
    assert made.shape == (2048, 2048)


def test_margins_and_dead_parts_do_not_matter(tmp_path, plain):
    whole = np.concatenate([plain, thon(LENS, pixel_size_A=1.2, seed=5)], axis=1)
    whole[:, 1500:] = 7
    whole[:20] = 0
    assert_is_lens(fitted(tmp_path / "dead.mrc", whole, 1.2), 100)


def test_a_microscope_known_in_part_is_completed_by_what_is_given(tmp_path):
    optics = Optics(200.0, 1.4, 0.07)
    image = thon(LENS, pixel_size_A=1.2, optics=optics)
    listed = json.dumps({"rlnVoltage": "200.0"})
    given = Optics(300.0, 1.4, 0.07)
    made = fitted(tmp_path / "a.mrc", image, 1.2, given=given, optics_group=listed)
    assert made.optics == optics
    assert_is_lens(made, 120)


def test_what_a_list_says_goes_before_what_is_given(tmp_path):
    optics = Optics(200.0, 1.4, 0.07)
    image = thon(LENS, pixel_size_A=1.2, optics=optics)
    made = fitted(tmp_path / "a.mrc", image, 1.2, given=Optics(), optics=optics)
    assert made.optics == optics
    assert_is_lens(made, 120)


def test_a_worker_that_is_to_leave_says_what_it_did_not_begin(tmp_path):
    source = MicrographSource("a.mrc", "set", tmp_path / "a.mrc", "a.mrc")
    worker = CtfWorker(IngestSettings(), OPTICS, CtfSettings())
    report = worker.process([source, source], leaving=lambda: True)
    assert (report.complete, report.undone, report.made) == (0, (0, 1), ())
    assert worker.give_up([source], "why").failures == (("a.mrc", "why"),)
