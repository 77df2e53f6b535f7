import mrcfile
import numpy as np
import pytest
from mrc_files import PACK, patched, read_bytes, write

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.mrc_header import HEADER_BYTES, parse_header


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packing", list(PACK))
class TestBytes:
    """Mode 0 is of signed bytes, unless the header or the image says otherwise."""

    STAMP = 1146047817

    @pytest.fixture
    def stored(self, tmp_path, order, packing):
        """Return what reads bytes of an image that goes over the middle of the range, header patched."""

        def read(code, *patches, seed=0):
            noise = np.random.default_rng(seed).normal(128 if code == "u1" else 0, 20, (40, 50))
            pixels = noise.round().astype(code)
            raw = write(tmp_path / "m.mrc", pixels.view("i1"), order=order).read_bytes()
            for offset, form, *values in patches:
                raw = patched(raw, offset, f"{order}{form}", *values)
            return pixels, read_bytes(tmp_path, raw, packing)

        return read

    @pytest.mark.parametrize(("code", "flags"), [("u1", 0), ("u1", 4), ("i1", 1), ("i1", 5)])
    def test_imod_s_flag_tells(self, stored, code, flags):
        pixels, found = stored(code, (152, "2i", self.STAMP, flags), (76, "2f", -3.0, 200.0))
        np.testing.assert_array_equal(found.pixels, pixels)
        assert (found.pixels.dtype, found.notes) == (code, ())

    @pytest.mark.parametrize(
        ("code", "extremes"), [("u1", (0, 255)), ("u1", (30, 128)), ("i1", (-128, 127)), ("i1", (-1, -1))]
    )
    def test_the_stated_extremes_tell(self, stored, code, extremes):
        pixels, found = stored(code, (76, "2f", *extremes))
        np.testing.assert_array_equal(found.pixels, pixels)
        assert found.notes == ()

    @pytest.mark.parametrize("extremes", [(0, 0), (0, -1), (np.nan, np.nan), (-50, 300), (0, 100), (0, 5000)])
    @pytest.mark.parametrize("code", ["u1", "i1"])
    def test_else_the_image_tells(self, stored, code, extremes):
        pixels, found = stored(code, (76, "2f", *extremes))
        np.testing.assert_array_equal(found.pixels, pixels)
        assert any("unsigned" in note for note in found.notes) == (code == "u1")


def test_every_value_of_a_byte_is_signed_where_nothing_speaks_against_it(tmp_path):
    pixels = np.random.default_rng(1).integers(-128, 128, (64, 64)).astype(np.int8)
    raw = patched(write(tmp_path / "m.mrc", pixels).read_bytes(), 76, "<2f", 0, 0)
    np.testing.assert_array_equal(read_bytes(tmp_path, raw).pixels, pixels)


def test_real_bytes_are_never_taken_for_unsigned(real_data):
    paths = sorted((real_data / "betagal-10017").glob("*.mrc"))
    assert len(paths) == 10
    for path in paths:
        header = parse_header(patched(path.read_bytes()[:HEADER_BYTES], 76, "<2f", 0, 0))
        assert not header.is_settled
        pixels = mrcfile.read(path)
        assert header.settled(pixels).dtype == np.int8
        assert header.settled(pixels ^ np.int8(-128)).dtype == np.uint8  # the same image, as unsigned bytes


class TestFourBits:
    """Two pixels a byte, the left one in the low bits."""

    @pytest.mark.parametrize("width", [12, 13])
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("packing", list(PACK))
    def test_mode_101_pads_rows_to_whole_bytes(self, tmp_path, width, order, packing):
        pixels = np.random.default_rng(2).integers(0, 16, (7, width)).astype(np.uint8)
        raw = packed_mrc(tmp_path, pixels, order, mode=101, nx=width)
        found = read_bytes(tmp_path, raw, packing)
        np.testing.assert_array_equal(found.pixels, pixels)
        assert found.pixel_size_A == pytest.approx(1.7)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_imod_s_flag_doubles_the_width_of_bytes(self, tmp_path, order):
        pixels = np.random.default_rng(2).integers(0, 16, (7, 12)).astype(np.uint8)
        raw = packed_mrc(tmp_path, pixels, order, mode=0, nx=6)
        raw = patched(raw, 152, f"{order}2i", TestBytes.STAMP, 16)
        np.testing.assert_array_equal(read_bytes(tmp_path, raw).pixels, pixels)

    @pytest.mark.parametrize(("labels", "shape"), [(1, (7676, 3710)), (1, (7676, 3711)), (2, (7676, 3710))])
    def test_serialem_s_label_does_so_for_frames_of_its_cameras(self, labels, shape):
        raw = patched(bytes(HEADER_BYTES), 0, "<4i", *shape[::-1], 1, 0)
        label = b"SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0"
        raw = patched(patched(raw, 220, "<i", labels), 224, "80s", label)
        is_packed = labels == 1 and shape == (7676, 3710)
        assert parse_header(raw).shape == ((7676, 7420) if is_packed else shape)

    def test_a_file_too_short_for_them_is_refused(self, tmp_path):
        raw = packed_mrc(tmp_path, np.zeros((7, 13), np.uint8), "<", mode=101, nx=13)
        with pytest.raises(MicrographError, match="truncated"):
            read_bytes(tmp_path, raw[:-1])


def packed_mrc(tmp_path, pixels, order, *, mode, nx) -> bytes:
    padded = np.pad(pixels, ((0, 0), (0, pixels.shape[1] % 2)))
    stored = padded[:, ::2] | padded[:, 1::2] << 4
    raw = write(tmp_path / "packed.mrc", stored.view("i1"), order=order, pixel_size_A=1.7).read_bytes()
    raw = patched(patched(raw, 0, f"{order}i", nx), 12, f"{order}i", mode)
    return patched(patched(raw, 28, f"{order}i", nx), 40, f"{order}f", 1.7 * nx)
