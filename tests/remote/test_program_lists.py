"""Lists of micrographs and movies as RELION 3.0 to 5 and CryoSPARC write them."""

import io

import numpy as np
import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.cs_list import read_cs_list
from cryopick_ray.micrographs.star_list import read_star_list
from cryopick_ray.units import Optics

OPTICS = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
{extra_column}
opticsGroup1 1 0.53 300.0 2.7 0.1 {extra}
opticsGroup2 2 0.42 200.0 0.01 0.07 {extra}
"""
MOVIES = """
data_movies

loop_
_rlnMicrographMovieName #1
_rlnOpticsGroup #2
Movies/a.tiff 1
Movies/b.tiff 2
"""
CORRECTED = """
data_micrographs

loop_
_rlnCtfPowerSpectrum #1
_rlnMicrographName #2
_rlnMicrographMetadata #3
_rlnOpticsGroup #4
MotionCorr/job002/Movies/a_PS.mrc MotionCorr/job002/Movies/a.mrc MotionCorr/job002/Movies/a.star 1
"""
V30 = """
data_

loop_
_rlnMicrographName #1
_rlnVoltage #2
_rlnSphericalAberration #3
_rlnAmplitudeContrast #4
_rlnMagnification #5
_rlnDetectorPixelSize #6
Micrographs/a.mrc 300.000 2.700 0.100 47169.811 5.000
Micrographs/b.mrc 300.000 2.700 0.100 47169.811 5.000
"""
V30_MOVIES = """
data_

loop_
_rlnMicrographMovieName #1
Movies/a.mrcs
"""
ONE_MOVIE = """
data_general

_rlnImageSizeX                                     3710
_rlnMicrographMovieName                    Movies/a.tif
_rlnMicrographGainName                     Movies/gain.mrc
_rlnMicrographOriginalPixelSize            0.885
_rlnVoltage                                200.0
"""


def star(tmp_path, text):
    path = tmp_path / "list.star"
    path.write_text(text)
    return read_star_list(path, tmp_path)


def test_movies_of_relion_3_1_to_5_have_the_pixel_size_of_their_frames(tmp_path):
    one, two = star(tmp_path, OPTICS.format(extra_column="", extra="") + MOVIES)
    assert (one.kind, one.name, one.path) == ("movie", "Movies/a.tiff", tmp_path / "Movies/a.tiff")
    assert (one.pixel_size_A, two.pixel_size_A) == (0.53, 0.42)
    assert (one.optics, two.optics) == (Optics(300, 2.7, 0.1), Optics(200, 0.01, 0.07))


def test_names_of_blocks_are_read_in_any_case(tmp_path):
    text = OPTICS.format(extra_column="", extra="") + MOVIES
    named = text.replace("data_optics", "data_Optics").replace("data_movies", "DATA_MOVIES")
    assert star(tmp_path, named) == star(tmp_path, text)


def test_averages_have_the_binned_pixel_size(tmp_path):
    optics = OPTICS.format(extra_column="_rlnMicrographPixelSize #7", extra="1.06")
    (one,) = star(tmp_path, optics + CORRECTED)
    assert (one.kind, one.name) == ("micrograph", "MotionCorr/job002/Movies/a.mrc")
    assert one.pixel_size_A == 1.06


def test_averages_come_before_movies_in_one_file(tmp_path):
    optics = OPTICS.format(extra_column="_rlnMicrographPixelSize #7", extra="1.06")
    assert [one.kind for one in star(tmp_path, optics + MOVIES + CORRECTED)] == ["micrograph"]


def test_micrographs_of_relion_3_0_have_their_pixel_size_in_detector_and_magnification(tmp_path):
    one, _ = star(tmp_path, V30)
    assert one.pixel_size_A == pytest.approx(1.06, rel=1e-4)
    assert one.optics == Optics(300, 2.7, 0.1)


def test_movies_of_relion_3_0(tmp_path):
    (one,) = star(tmp_path, V30_MOVIES)
    assert (one.kind, one.pixel_size_A, one.optics) == ("movie", None, None)


def test_a_movie_with_its_gain_reference(tmp_path):
    (one,) = star(tmp_path, ONE_MOVIE)
    assert (one.kind, one.gain) == ("movie", tmp_path / "Movies/gain.mrc")
    assert one.pixel_size_A == 0.885


def test_a_star_file_without_images_says_what_it_has(tmp_path):
    with pytest.raises(UsageError, match=r"data_optics.*rlnMicrographMovieName"):
        star(tmp_path, OPTICS.format(extra_column="", extra=""))


def exposures(n=3, **columns):
    fields = {
        "uid": ("<u8", range(n)),
        "movie_blob/path": ("S80", [f">J1/imported/01209{i}_m{i}.tif" for i in range(n)]),
        "movie_blob/shape": (("<u4", (3,)), [(38, 7676, 7420)] * n),
        "movie_blob/psize_A": ("<f4", [0.6575] * n),
        "gain_ref_blob/path": ("S80", ["J1/imported/norm-amibox05-0.mrc"] * n),
        "mscope_params/accel_kv": ("<f4", [300] * n),
        "mscope_params/cs_mm": ("<f4", [2.7] * n),
        "micrograph_blob/path": (
            "S80",
            [f"J2/motioncorrected/01209{i}_m{i}_doseweighted.mrc" for i in range(n)],
        ),
        "micrograph_blob/shape": (("<u4", (2,)), [(3838, 3710)] * n),
        "micrograph_blob/psize_A": ("<f4", [1.315] * n),
        "ctf/amp_contrast": ("<f4", [0.07] * n),
    } | columns
    fields = {name: field for name, field in fields.items() if field is not None}
    dtype = [(name, *(kind if isinstance(kind, tuple) else (kind,))) for name, (kind, _) in fields.items()]
    rows = np.zeros(n, dtype)
    for name, (_, values) in fields.items():
        rows[name] = list(values)
    return rows


def cs(tmp_path, rows):
    (tmp_path / "J2").mkdir(exist_ok=True)
    path = tmp_path / "J2" / "exposures.cs"
    with path.open("wb") as file:
        np.save(file, rows)
    return read_cs_list(path, tmp_path)


def test_exposures_are_micrographs_in_the_project(tmp_path):
    (tmp_path / "J2" / "motioncorrected").mkdir(parents=True)
    (tmp_path / "J2/motioncorrected/012090_m0_doseweighted.mrc").touch()
    one, *_, last = cs(tmp_path, exposures())
    assert one.path == tmp_path / "J2/motioncorrected/012090_m0_doseweighted.mrc"
    assert last.path == tmp_path / "J2/motioncorrected/012092_m2_doseweighted.mrc"
    assert (one.kind, one.pixel_size_A, one.gain) == ("micrograph", 1.315, None)
    assert one.optics == pytest.approx(Optics(300, 2.7, 0.07))


@pytest.mark.parametrize("missing", [None, ("S80", [""] * 3)], ids=["no column", "empty column"])
def test_exposures_before_motion_correction_are_movies(tmp_path, missing):
    one, *_ = cs(tmp_path, exposures(**{"micrograph_blob/path": missing}))
    assert (one.kind, one.name, one.pixel_size_A) == ("movie", "J1/imported/012090_m0.tif", 0.6575)
    assert one.gain == tmp_path / "J1/imported/norm-amibox05-0.mrc"


def test_exposures_without_optics_and_pixel_size(tmp_path):
    rows = exposures(**{"mscope_params/accel_kv": None, "micrograph_blob/psize_A": None})
    assert {(c.optics, c.pixel_size_A) for c in cs(tmp_path, rows)} == {(None, None)}


def test_a_pickle_is_not_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path / "bang").touch, ()

    with pytest.raises(UsageError, match="Python objects"):
        cs(tmp_path, np.array([Bomb()], dtype=object))
    assert not (tmp_path / "bang").exists()


def raw(rows):
    buffer = io.BytesIO()
    np.save(buffer, rows)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x95CSDAT0000",
        b"not an array",
        raw(np.zeros(4)),
        raw(np.zeros((2, 2), [("uid", "<u8"), ("micrograph_blob/path", "S8")])),
        raw(np.zeros(2, [("uid", "<u8")])),
        raw(exposures())[:-100],
        raw(exposures()).replace(b"(3,)", b"(3**99**9,)"),
        raw(exposures()).replace(b"'shape': (3,), }  ", b"'shape': (9999999999,), }"),
        raw(exposures()).replace(b"J2/motion", b"\xff\xff\xffmotion"),
        raw(exposures(**{"micrograph_blob/path": ("<f4", [1] * 3), "movie_blob/path": None})),
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    ],
    ids=[
        "empty", "stream", "text", "plain", "2-D", "no exposures", "cut", "expression", "too long",
        "no UTF-8", "numbers for paths", "nested",
    ],
)  # fmt: skip
def test_a_broken_or_hostile_cs_file_is_told(tmp_path, data):
    path = tmp_path / "x.cs"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"x\.cs"):
        read_cs_list(path, tmp_path)
