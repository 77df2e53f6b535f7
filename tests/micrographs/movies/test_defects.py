import numpy as np
import pytest
from simulated_movies import drifting, path_of_drift, rms_px, specimen, write_mrc

from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.movies.average import average_movie
from cryopick_ray.micrographs.movies.defects import donors, find_deviants, read_defects
from cryopick_ray.settings.run_settings import FrameSettings

SHAPE = (40, 60)


def test_a_list_and_a_map_mark_the_same_pixels(tmp_path):
    mask = np.zeros(SHAPE, bool)
    mask[3:5, 10:17] = mask[:, 59:] = True
    listed = tmp_path / "defects.txt"
    listed.write_text("# x y w h\n10 3 7 2\n\n59 0 1 40  # a column\n")
    np.testing.assert_array_equal(read_defects(listed, SHAPE), mask)
    np.testing.assert_array_equal(
        read_defects(write_mrc(tmp_path / "map.mrc", mask.astype(np.int8)), SHAPE), mask
    )


@pytest.mark.parametrize(
    "line", ["1 2 3", "1 2 3 x", "-1 0 2 2", "59 0 2 2", "0 39 1 2", "1 2 3 4 5", "1e9 0 1 1"]
)
def test_a_wrong_line_is_told_by_its_number(tmp_path, line):
    path = tmp_path / "defects.txt"
    path.write_text(f"0 0 1 1\n{line}\n")
    with pytest.raises(UsageError, match=r"`movies.defects`.*line 2"):
        read_defects(path, SHAPE)


def test_files_that_are_no_defects_are_usage_errors(tmp_path):
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    (tmp_path / "long.txt").write_text("0 0 1 1\n" * 200_000)
    write_mrc(tmp_path / "other.mrc", np.ones((40, 61), np.int8))
    for name in ("binary.txt", "long.txt", "other.mrc", "missing.txt"):
        with pytest.raises(UsageError, match=r"`movies.defects`"):
            read_defects(tmp_path / name, SHAPE)


def test_donors_are_good_and_near():
    rng = np.random.default_rng(5)
    bad = rng.random(SHAPE) < 0.1
    bad[:, 20:27] = True
    targets, sources = donors(bad)
    np.testing.assert_array_equal(targets.T, np.argwhere(bad))
    assert not bad[tuple(sources)].any()
    assert abs(targets - sources).max() <= 16
    np.testing.assert_array_equal(donors(bad)[1], sources)


def test_a_dead_half_takes_from_the_other_and_more_is_an_error():
    bad = np.zeros(SHAPE, bool)
    bad[:, :30] = True
    assert donors(bad)[1][1].min() >= 30
    bad[0, 30] = True
    with pytest.raises(MicrographError, match=r"`movies.gain`.*`movies.defects`"):
        donors(bad)


def test_hot_and_dead_pixels_are_found_and_hardly_any_other():
    rng = np.random.default_rng(6)
    mean = rng.poisson(50, (300, 300)).astype(np.float32) / 50
    mean += np.linspace(0, 3, 300, dtype=np.float32)  # thicker ice on one side
    mean[20, 30], mean[100, 200] = 6, 0.0
    mean[299, 0] = 9
    found = find_deviants(mean)
    assert found[20, 30]
    assert found[100, 200]
    assert found[299, 0]
    assert found.sum() <= 3 + 8 * 2  # a very hot pixel takes its neighbours along
    assert not find_deviants(np.full((30, 30), 2, np.float32)).any()


@pytest.fixture(scope="module")
def spoilt():
    """A movie with 60 hot pixels and a dead column, its path and the frames without them."""
    path = path_of_drift(20, 6)
    clean = drifting(specimen(256), path, 2.0)
    frames = clean.copy()
    rows, columns = np.random.default_rng(7).integers(0, 256, (2, 60))
    frames[:, rows, columns] = 120
    frames[:, :, 100] = 0
    return frames, clean, path


def test_hot_pixels_neither_hold_the_frames_in_place_nor_stay_in_the_average(tmp_path, spoilt):
    frames, clean, path = spoilt
    listed = tmp_path / "defects.txt"
    listed.write_text("100 0 1 256\n")
    average = average_movie(
        write_mrc(tmp_path / "m.mrc", frames.astype(np.int16)), FrameSettings(defects=listed)
    )
    assert rms_px(average.shifts_px, path) < 0.25
    best = average_movie(write_mrc(tmp_path / "c.mrc", clean.astype(np.int16)), FrameSettings())
    assert abs(average.image - best.image).max() < 3  # they counted 120
    assert np.corrcoef(average.image.ravel(), best.image.ravel())[0, 1] > 0.95
