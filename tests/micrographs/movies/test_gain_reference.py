import numpy as np
import pytest
import torch
from eer_files import random_events, write_eer
from simulated_movies import drifting, path_of_drift, specimen, write_mrc, write_tiff

from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.movies.average import average_movie
from cryopick_ray.micrographs.movies.correct import load_correction
from cryopick_ray.micrographs.movies.gain import ORIENTATIONS, combined, factors, misorientation, oriented
from cryopick_ray.micrographs.movies.movie import read_frames
from cryopick_ray.micrographs.movies.open_movie import open_movie
from cryopick_ray.settings.run_settings import FrameSettings

ALL = [(rot, flip) for rot in range(4) for flip in range(3)]
CPU = torch.device("cpu")


def gain_of(shape, seed=0, spread=0.05) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal(0, spread, shape)).astype(np.float32)


def undo(gain, rot, flip):
    """Return what `oriented` makes `gain` of."""
    if flip == 1:
        gain = np.flipud(gain)
    if flip == 2:
        gain = np.fliplr(gain)
    return np.rot90(gain, rot)  # numpy turns the other way


def corrected(path, **settings):
    movie = open_movie(path, eer_grouping=settings.get("eer_grouping", 40))
    correction = load_correction(movie, FrameSettings(**settings), CPU)
    return np.stack(
        [correction(correction.upload(frame)).numpy() for frame in read_frames(movie, range(movie.count))]
    )


def test_a_quarter_turn_takes_the_top_row_to_the_right():
    gain = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    np.testing.assert_array_equal(oriented(gain, 1, 0), [[4, 1], [5, 2], [6, 3]])
    np.testing.assert_array_equal(oriented(gain, 0, 1), [[4, 5, 6], [1, 2, 3]])
    np.testing.assert_array_equal(oriented(gain, 0, 2), [[3, 2, 1], [6, 5, 4]])


@pytest.mark.parametrize(("rot", "flip"), ALL)
def test_every_orientation_is_undone_exactly(tmp_path, rot, flip):
    gain = gain_of((24, 40))
    frames = np.random.default_rng(1).integers(0, 50, (3, 24, 40)).astype(np.float32)
    movie = write_mrc(tmp_path / "m.mrc", frames)
    reference = write_mrc(tmp_path / "gain.mrc", undo(gain, rot, flip))
    np.testing.assert_array_equal(
        corrected(movie, gain=reference, gain_rot=rot, gain_flip=flip), frames * gain
    )


def test_the_eight_orientations_are_all_there_are_and_combine():
    probe = gain_of((5, 5))
    distinct = {oriented(probe, *one).tobytes() for one in ALL}
    assert distinct == {oriented(probe, *one).tobytes() for one in ORIENTATIONS}
    assert len(distinct) == 8
    for first in ALL:
        for then in ALL:
            both = oriented(oriented(probe, *first), *then)
            np.testing.assert_array_equal(both, oriented(probe, *combined(first, then)))


def test_gain_of_either_format_lies_the_same_on_movies_of_either_format(tmp_path):
    gain, frames = gain_of((24, 40)), np.random.default_rng(1).integers(1, 50, (2, 24, 40)).astype(np.uint8)
    movies = write_mrc(tmp_path / "m.mrc", frames.astype(np.int16)), write_tiff(tmp_path / "m.tif", frames)
    gains = write_mrc(tmp_path / "g.mrc", gain), write_tiff(tmp_path / "g.tif", gain)
    for movie in movies:
        for reference in gains:
            np.testing.assert_array_equal(corrected(movie, gain=reference), frames * gain)


def test_eer_is_divided_by_its_gain_but_multiplied_by_dot_gain_files(tmp_path):
    gain = gain_of((32, 48))
    rng = np.random.default_rng(2)
    movie = write_eer(tmp_path / "m.eer", [random_events(rng, gain.shape, 0.5) for _ in range(2)], gain.shape)
    plain = corrected(movie, eer_grouping=2)
    reciprocal = corrected(movie, eer_grouping=2, gain=write_mrc(tmp_path / "g.mrc", gain))
    np.testing.assert_allclose(reciprocal, plain * gain.mean() / gain, rtol=1e-5)
    dot_gain = tmp_path / "a.gain"
    write_tiff(tmp_path / "a.tif", gain[::-1]).rename(dot_gain)  # rows in their order
    np.testing.assert_array_equal(corrected(movie, eer_grouping=2, gain=dot_gain), plain * gain)


def test_a_gain_of_half_or_twice_the_pixels_fits_super_resolution():
    gain = gain_of((6, 8))
    np.testing.assert_array_equal(factors(gain, (12, 16), reciprocal=False)[::2, 1::2], gain)
    np.testing.assert_allclose(
        factors(gain.repeat(2, 0).repeat(2, 1), (6, 8), reciprocal=False), gain, rtol=1e-6
    )


def test_another_shape_names_the_options(tmp_path):
    movie = write_mrc(tmp_path / "m.mrc", np.ones((2, 24, 40), np.float32))
    with pytest.raises(MicrographError, match=r"24 x 40.*40 x 24.*`movies.gain_rot`"):
        average_movie(movie, FrameSettings(gain=write_mrc(tmp_path / "g.mrc", gain_of((40, 24)))))


@pytest.mark.parametrize("kind", ["missing", "zero", "text"])
def test_what_is_no_gain_is_a_usage_error(tmp_path, kind):
    movie = write_mrc(tmp_path / "m.mrc", np.ones((2, 24, 40), np.float32))
    path = tmp_path / "g.mrc"
    if kind == "zero":
        write_mrc(path, np.zeros((24, 40), np.float32))
    if kind == "text":
        path.write_text("no gain")
    with pytest.raises(UsageError, match=r"`movies.gain`"):
        average_movie(movie, FrameSettings(gain=path))


@pytest.fixture(scope="module")
def uneven():
    """Frames of a camera with 5 % spread of gain, and the factors that mend it."""
    gain = gain_of((256, 256), spread=0.05)
    return drifting(specimen(256), path_of_drift(20, 4), 1.5, gain=gain), gain


@pytest.mark.parametrize("wrong", ORIENTATIONS)
def test_the_frames_tell_how_the_gain_must_be_turned(uneven, wrong):
    frames, gain = uneven
    total = frames.sum(0, dtype=np.float32)
    turn = misorientation(total, np.ascontiguousarray(oriented(gain, *wrong)))
    np.testing.assert_array_equal(oriented(oriented(gain, *wrong), *turn), gain)


def test_a_wrong_orientation_is_warned_of_with_the_right_options(tmp_path, uneven):
    frames, gain = uneven
    movie = write_mrc(tmp_path / "m.mrc", frames.astype(np.int16))
    reference = write_mrc(tmp_path / "g.mrc", undo(gain, 1, 1))
    right = average_movie(movie, FrameSettings(gain=reference, gain_rot=1, gain_flip=1))
    wrong = average_movie(movie, FrameSettings(gain=reference, gain_rot=2, gain_flip=0))
    assert not right.warnings
    assert "`movies.gain_rot` 1 `movies.gain_flip` 1" in " ".join(wrong.warnings)


def test_corrected_frames_blame_no_orientation():
    frames = drifting(specimen(256), path_of_drift(20, 4), 1.5)
    assert misorientation(frames.sum(0, dtype=np.float32), gain_of((256, 256))) is None
