import imagecodecs
import numpy as np
import pytest
from eer_files import BITS, encode, random_events, rendered, write_eer

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.movies.movie import read_frames
from cryopick_ray.micrographs.movies.open_movie import open_movie

SHAPE = (48, 64)


def all_frames(path):
    movie = open_movie(path, eer_grouping=1)
    return list(read_frames(movie, range(movie.count)))


@pytest.fixture
def events():
    rng = np.random.default_rng(4)
    return [random_events(rng, SHAPE, electrons) for electrons in (0.02, 0.1, 0.0, 0.001, 0.05, 0.02, 0.3)]


@pytest.mark.parametrize("compression", BITS)
@pytest.mark.parametrize("upsampling", [1, 2])
def test_electrons_land_where_they_were_written(tmp_path, events, compression, upsampling):
    path = write_eer(tmp_path / "m.eer", events, SHAPE, compression)
    movie = open_movie(path, eer_grouping=3, eer_upsampling=upsampling)
    assert movie.shape == (SHAPE[0] * upsampling, SHAPE[1] * upsampling)
    assert movie.count == 2  # one detector frame is left over
    assert movie.pixel_size_A == pytest.approx(0.75 / upsampling)
    frames = list(read_frames(movie, range(2)))
    for number, frame in enumerate(frames):
        group = events[3 * number : 3 * number + 3]
        np.testing.assert_array_equal(frame, sum(rendered(one, SHAPE, upsampling) for one in group))


def test_any_grouping_keeps_every_electron(tmp_path, events):
    path = write_eer(tmp_path / "m.eer", events, SHAPE)
    for grouping in (1, 7):
        movie = open_movie(path, eer_grouping=grouping)
        total = sum(frame.astype(int).sum() for frame in read_frames(movie, range(movie.count)))
        assert total == sum(len(pixels) for pixels, _, _ in events)


def test_the_decoder_adds_to_what_is_there(events):
    code = encode(*events[1], SHAPE[0] * SHAPE[1], BITS[65001])
    out = np.full(SHAPE, 7, np.uint16)
    imagecodecs.eer_decode(code + bytes(len(code) % 2), SHAPE, *BITS[65001], out=out)
    np.testing.assert_array_equal(out, 7 + rendered(events[1], SHAPE, 1))


def test_frames_are_read_in_any_range(tmp_path, events):
    movie = open_movie(write_eer(tmp_path / "m.eer", events, SHAPE), eer_grouping=1)
    (frame,) = read_frames(movie, range(4, 5))
    np.testing.assert_array_equal(frame, rendered(events[4], SHAPE, 1))


@pytest.mark.parametrize("metadata", [b"", b"<metadata>", b'<item name="sensorPixelSize.width">1e999</item>'])
def test_metadata_that_say_nothing_of_pixels_are_no_error(tmp_path, events, metadata):
    assert (
        open_movie(
            write_eer(tmp_path / "m.eer", events, SHAPE, metadata=metadata), eer_grouping=1
        ).pixel_size_A
        is None
    )


def test_too_few_detector_frames_name_the_option(tmp_path, events):
    path = write_eer(tmp_path / "m.eer", events, SHAPE)
    with pytest.raises(MicrographError, match=r"7 detector frames.*`movies.eer_grouping`"):
        open_movie(path, eer_grouping=8)


def test_a_run_beyond_the_detector_is_an_error(tmp_path, events):
    path = write_eer(tmp_path / "m.eer", events, SHAPE)
    movie = open_movie(path, eer_grouping=1)
    whole = bytearray(path.read_bytes())
    broken = movie.detector_frames[3]
    whole[broken.start : broken.start + broken.length] = b"\xff" * broken.length
    path.write_bytes(whole)
    with pytest.raises(MicrographError, match=r"frame 4 of 7 of m\.eer"):
        list(read_frames(open_movie(path, eer_grouping=1), range(7)))


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.8, 0.97])
def test_a_truncated_file_is_an_error(tmp_path, events, kept):
    path = write_eer(tmp_path / "m.eer", events, SHAPE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(MicrographError):
        all_frames(path)


def test_a_detector_larger_than_its_code_can_cover_is_refused_before_it_is_rendered(tmp_path, events):
    path = write_eer(tmp_path / "m.eer", events[2:3], (397, 397))
    claimed = path.read_bytes().replace((397).to_bytes(8, "little"), (16380).to_bytes(8, "little"))
    path.write_bytes(claimed)
    with pytest.raises(MicrographError, match="truncated"):
        open_movie(path, eer_grouping=1)
    path.write_bytes(claimed.replace((16380).to_bytes(8, "little"), (2**31 - 1).to_bytes(8, "little")))
    with pytest.raises(MicrographError, match="pixels"):
        open_movie(path, eer_grouping=1)
