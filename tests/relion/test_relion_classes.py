"""RELION reads our classes and goes on from them; its own classification gives what ours gives."""

import subprocess

import boxed
import numpy as np
import pytest
import starfile

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.runs.classified import classify2d


@pytest.fixture(scope="module")
def particles(tmp_path_factory):
    return boxed.two_kinds(tmp_path_factory.mktemp("set"), n=80)[0]


def classified(particles, out, program, classes=2, **given):
    settings = ClassSettings(particles=particles, classes=classes, diameter_A=150.0, program=program, **given)
    return classify2d(settings, out, SerialEngine(), Silence(), device="cpu")


def test_relion_goes_on_from_our_classes(relion, tmp_path):
    particles, _ = boxed.two_kinds(tmp_path, n=60, kinds=("bent",))
    classified(particles, tmp_path / "ours", "own", classes=1, iterations=6)
    command = (
        "relion_refine --i ours/run_it006_data.star --ref ours/run_it006_model.star --o ours/again --ctf "
        "--iter 1 --tau2_fudge 2 --particle_diameter 150 --K 1 --zero_mask --oversampling 1 --psi_step 12 "
        "--offset_range 3 --offset_step 1 --norm --scale --j 1 --random_seed 1"
    )
    done = subprocess.run(
        command.split(), cwd=tmp_path, env=relion, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ours = starfile.read(tmp_path / "ours" / "run_it006_data.star")["particles"]
    theirs = starfile.read(tmp_path / "ours" / "again_it001_data.star")["particles"]
    both = ours.merge(theirs, on="rlnImageName", suffixes=("", "_again"))
    assert len(both) == 60
    # RELION finds particles where we did: turns and shifts mean the same to both.
    off_deg = (both["rlnAnglePsi"] - both["rlnAnglePsi_again"] + 180) % 360 - 180
    assert np.median(np.abs(off_deg)) < 9
    for axis in "XY":
        off_A = both[f"rlnOrigin{axis}Angst"] - both[f"rlnOrigin{axis}Angst_again"]
        assert np.median(np.abs(off_A)) < boxed.PIXEL_SIZE_A


def test_relions_classes_come_out_as_ours_do(relion, particles, monkeypatch):
    for name in ("PATH", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, relion.get(name, ""))
    out = particles.parent / "theirs"
    outcome = classified(particles, out, "relion", iterations=3)
    own = starfile.read(out / "run_it003_data.star")["particles"]
    theirs = starfile.read(out / "relion" / "run_it003_data.star")["particles"]
    assert own["rlnClassNumber"].tolist() == theirs["rlnClassNumber"].tolist()
    assert own["rlnAnglePsi"].to_numpy() == pytest.approx(theirs["rlnAnglePsi"].to_numpy(), abs=1e-4)
    best = outcome.classes.ranking[0]
    assert outcome.classes.measured.particles[best] > 10
    # Halves made from RELION's poses agree only if its angles and origins are read its way.
    assert outcome.classes.measured.agreement[best] > 0.6
    assert (out / "classes.html").is_file()
