import numpy as np
import pytest

from cryopick_ray import FILAMENT_MODEL
from cryopick_ray.evaluation.traces import follow
from cryopick_ray.filaments.segments import traces_of
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.heatmap.polarity import judge_for, pick_settled
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.units import resampled_shape, working_pixel_size_A

SIDE = 640
PLAIN = {"contamination": {kind: {"probability": 0} for kind in ("carbon", "crystals", "blobs", "specks")}}


@pytest.fixture(scope="module")
def picker():
    return load_picker(FILAMENT_MODEL, particle_px=None, device="cpu", exact=True)


def seen(picker, name, width_A=None, **scene):
    """Return a simulated micrograph at the picker's scale, and its true filaments there."""
    molecule = load_molecule(name)
    width_A = width_A or molecule.diameter_A
    settings = simulation_settings(
        {
            **PLAIN,
            "molecules": [name],
            "seed": 11,
            "height_px": SIDE,
            "width_px": SIDE,
            "pixel_size_A": width_A / 12,
            "scene": scene,
        }
    )
    made = simulate(settings, [molecule], 0)
    shape = resampled_shape((SIDE, SIDE), width_A / 12, working_pixel_size_A(width_A, picker.particle_px))
    scale = shape[1] / SIDE
    traces = made.filaments.traces(pickable=True) if made.filaments else ()
    true = [trace.scaled(scale, scale) for _, trace in traces]
    return prepare(made.pixels, shape).pixels, true


def traced(found):
    columns = (found.more[name] for name in ("filament", "track_px"))
    return traces_of(found.x, found.y, *columns, found.score)


@pytest.mark.parametrize("name", ["tmv-like", "pilus-usher"])  # no model has seen them
def test_filaments_are_traced_along_their_axes(picker, name):
    image, true = seen(picker, name, filaments={"density": (0.1, 0.1), "bundled": (0, 0), "tangles": (0, 0)})
    found = traced(picker.pick(image))
    sure = [one for one in found if one.score >= picker.threshold]
    follows = follow(sure, true, picker.particle_px, picker.particle_px / 2)
    assert follows.hit_length.sum() > 0.9 * follows.length.sum()
    assert follows.true_length[follows.best >= 0].sum() > 0.8 * follows.true_length.sum()
    assert np.median(follows.angle_deg) < 2
    assert np.median(follows.offset) < 0.1


def test_segments_are_as_far_apart_as_asked_along_each_filament_and_point_along_it(picker):
    image, _ = seen(picker, "tmv-like", filaments={"density": (0.1, 0.1)})
    found = picker.spaced(7.0).pick(image)
    for number in np.unique(found.more["filament"]):
        rows = np.flatnonzero(found.more["filament"] == number)
        rows = rows[np.argsort(found.more["track_px"][rows])]
        assert np.diff(found.more["track_px"][rows]) == pytest.approx(7.0, abs=1e-3)
        assert len(set(found.score[rows].tolist())) == 1
        if len(rows) > 4:
            dx, dy = found.x[rows[3]] - found.x[rows[1]], found.y[rows[3]] - found.y[rows[1]]
            off = np.deg2rad(found.more["angle_deg"][rows[2]]) + np.arctan2(dy, dx)
            assert abs(np.sin(off)) < 0.3


def test_particles_are_no_filaments(picker):
    image, true = seen(picker, "ribosome-30s", width_A=100, packing=(0.3, 0.3))
    assert not true
    assert (picker.pick(image).score >= picker.threshold).sum() < 60


def test_bright_filaments_are_seen_in_the_negative(picker):
    import torch

    image, _ = seen(picker, "tmv-like", filaments={"density": (0.1, 0.1)})
    stack = torch.from_numpy(np.stack([image, -image]))
    with torch.inference_mode():
        (dark, is_dark), (bright, is_bright) = pick_settled(picker, judge_for(picker), stack)
    assert (is_dark, is_bright) == (False, True)
    assert np.array_equal(dark.x, bright.x)


def test_equal_images_give_equal_segments(picker):
    image, _ = seen(picker, "pilus-usher", filaments={"density": (0.1, 0.1)})
    one, other = picker.pick(image), picker.pick(image)
    assert np.array_equal(one.x, other.x)
    assert np.array_equal(one.more["track_px"], other.more["track_px"])
    assert (np.diff(one.score) <= 0).all()
