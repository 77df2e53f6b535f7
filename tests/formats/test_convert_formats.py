from dataclasses import replace

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.convert import CoordinateFrame, convert
from cryopick_ray.formats.coordinates import from_file, picked
from cryopick_ray.formats.export_paths import bare_name
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.format_table import FORMATS, READ, WRITTEN, export, write
from cryopick_ray.formats.known_micrographs import KnownMicrographs
from cryopick_ray.formats.reading import read_coordinates
from cryopick_ray.units import binned_to_source

BOTH = [name for name in WRITTEN if name in READ and FORMATS[name].looks_like]
HEIGHT = 4096
NAMES = ["a/x.mrc", "b_1.5.tif", "c d.mrc", "e-f.mrc"]


def known(coordinates):
    return {
        bare_name(micrograph_picks.micrograph.micrograph_id).rpartition("/")[2]: micrograph_picks
        for micrograph_picks in coordinates
    }


@st.composite
def micrographs(draw):
    names = draw(
        st.lists(st.sampled_from(["a/x.mrc", "b_1.5.tif", "c d.mrc", "e-f.mrc"]), min_size=1, unique=True)
    )
    scored = draw(st.booleans())
    place = st.floats(0, HEIGHT - 1, width=32)
    made = []
    for name in names:
        n = draw(st.integers(0, 4))
        x, y = (draw(st.lists(place, min_size=n, max_size=n)) for _ in "xy")
        score = draw(st.lists(st.floats(-50, 50, width=32), min_size=n, max_size=n)) if scored else None
        made.append(from_file(name, x, y, score, [(64.0, 64.0)] * n))
    return made


@pytest.fixture(scope="module")
def known_micrographs(tmp_path_factory):
    """Headers of large images, whose pixels are holes in their files."""
    folder = tmp_path_factory.mktemp("micrographs")
    for name in NAMES:
        path = (folder / name).with_suffix(".mrc")
        path.parent.mkdir(exist_ok=True)
        mrcfile.new_mmap(path, (HEIGHT, HEIGHT), mrc_mode=0).close()
        with mrcfile.mmap(path, "r+") as file:
            file.voxel_size = 1.25
    return KnownMicrographs(str(folder))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(micrographs(), st.sampled_from(BOTH), st.sampled_from(BOTH))
def test_particles_pass_through_any_two_formats_within_what_these_hold(
    tmp_path_factory, known_micrographs, made, first, second
):
    made = [
        replace(first_folder, micrograph=known_micrographs.fill(first_folder.micrograph))
        for first_folder in made
    ]
    first_folder, second_folder = (tmp_path_factory.mktemp("made") / name for name in (first, second))
    given_settings = ExportSettings(box_px=64, image_height=HEIGHT)
    write(made, first, first_folder, given_settings)
    holds = FORMATS[first].holds & FORMATS[second].holds
    wanted = {name: m for name, m in known(made).items() if len(m.x_px) or "empty" in holds}
    if not any(len(m.x_px) for m in made):
        return  # tables of no rows name no micrograph
    done = convert(
        first_folder,
        second,
        second_folder,
        frame=CoordinateFrame(known=known_micrographs),
        settings=given_settings,
    )
    found = known(
        CoordinateFrame(image_height=HEIGHT).moved(m) for m in read_coordinates(second_folder).coordinates
    )
    assert found.keys() == wanted.keys()
    assert done.particles == sum(len(m.x_px) for m in made)
    whole = sum("fractions" not in FORMATS[name].holds for name in (first, second))
    for name, before in wanted.items():
        after = found[name]
        np.testing.assert_allclose(after.x_px, before.x_px, rtol=0, atol=0.5 * whole + 0.003)
        np.testing.assert_allclose(after.y_px, before.y_px, rtol=0, atol=0.5 * whole + 0.003)
        if "scores" in holds:
            expected = np.nan_to_num(before.score) if "cs" in (first, second) else before.score  # no NaN
            np.testing.assert_allclose(after.score, expected, rtol=1e-5, atol=1e-6)
        if {"boxes"} <= holds and len(before.x_px):
            assert (after.box_px == 64).all()


@pytest.mark.parametrize("format", WRITTEN)
def test_what_a_format_has_no_room_for_is_told(tmp_path, make_picks, format):
    notes = []
    picks = [make_picks("a/x.mrc"), make_picks("y.mrc", 0)]
    export(picks, format, tmp_path, ExportSettings(say=notes.append))
    holds = FORMATS[format].holds
    words = {"scores": "scores", "fractions": "fractions of pixels", "empty": "without particles"}
    for thing, said in words.items():
        assert (thing in holds) != any(said in note for note in notes)


@given(st.floats(0.1, 8), st.floats(0, 4000))
def test_binning_moves_by_half_pixels_and_back(binning, x):
    coordinates = from_file("x", [x], [x])
    there = CoordinateFrame(binning=binning).moved(coordinates)
    np.testing.assert_allclose(there.x_px, binned_to_source(x, binning))
    np.testing.assert_allclose(CoordinateFrame(binning=1 / binning).moved(there).x_px, x, atol=1e-9)
    np.testing.assert_allclose(CoordinateFrame(scale=binning).moved(coordinates).y_px, binning * x)


def test_flips_are_their_own_inverse_and_need_a_height():
    coordinates = from_file("x", [1], [10])
    assert CoordinateFrame(flip_y=True, image_height=100).moved(coordinates).y_px.tolist() == [89]
    twice = CoordinateFrame(flip_y=True, image_height=100).moved(
        CoordinateFrame(flip_y=True, image_height=100).moved(coordinates)
    )
    assert twice.y_px.tolist() == [10]
    with pytest.raises(UsageError, match="`image_height`"):
        CoordinateFrame(flip_y=True).moved(coordinates)


def test_names_lose_cryosparcs_numbers_and_folders_on_wish():
    coordinates = from_file("J2/imported/012345678901234567890_x.mrc", [1.4], [2.6])
    assert CoordinateFrame(strip_uid=True).moved(coordinates).micrograph.micrograph_id == "J2/imported/x.mrc"
    both = CoordinateFrame(strip_uid=True, stems=True, whole_px=True).moved(coordinates)
    assert (both.micrograph.micrograph_id, both.micrograph.relion_name) == ("x.mrc", "x.mrc")
    assert (both.x_px[0], both.y_px[0]) == (1, 3)
    date = from_file("20201231_x.mrc", [1], [1])
    assert CoordinateFrame(strip_uid=True).moved(date).micrograph.micrograph_id == "20201231_x.mrc"


@pytest.mark.parametrize(
    "wrong", [{"scale": 2, "binning": 2}, {"scale": 0}, {"binning": -1}, {"image_height": 0}]
)
def test_frames_that_are_none_are_refused(wrong):
    with pytest.raises(UsageError, match="`"):
        CoordinateFrame(**wrong)


def test_a_runs_own_coordinates_are_read_once(tmp_path, mixed):
    export(mixed, "star", tmp_path)
    found = known(read_coordinates(tmp_path).coordinates)
    assert sorted(
        coordinates.micrograph.micrograph_id for coordinates in read_coordinates(tmp_path).coordinates
    ) == [
        "a/x.mrc",
        "b/empty.mrc",
        "b/x.mrc",
    ]
    assert len(found["empty"].x_px) == 0
    expected = {coordinates.micrograph.micrograph_id: coordinates for coordinates in picked(mixed)}["b/x.mrc"]
    np.testing.assert_allclose(found["x"].x_px, expected.x_px, atol=1e-3)


def test_shapes_and_sizes_come_from_headers_lists_and_tables(tmp_path):
    pixels = np.zeros((40, 60), np.uint8)
    (tmp_path / "m").mkdir()
    mrcfile.write(tmp_path / "m/x.mrc", pixels.astype(np.float32), voxel_size=1.25)
    tifffile.imwrite(tmp_path / "m/y.tif", pixels)
    Image.fromarray(pixels).save(tmp_path / "m/z.png")
    (tmp_path / "l.txt").write_text("m/x.mrc\n")
    for where, name, size_A in [("m", "x", 1.25), ("m", "y", None), ("m", "z", None), ("l.txt", "x", 1.25)]:
        found = KnownMicrographs(str(tmp_path / where)).fill(from_file(f"other/{name}", [1], [2]).micrograph)
        assert (found.shape, found.pixel_size_A) == ((40, 60), size_A)
    upside_down = from_file("x.jpg", [1], [10], is_upside_down=True)
    frame = CoordinateFrame(known=KnownMicrographs(str(tmp_path / "m")))
    assert frame.moved(upside_down).y_px.tolist() == [29]


def test_micrographs_that_are_not_there_twice_or_broken_are_told(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("a/x.mrc", "b/x.mrc", "y.mrc", "z.png"):
        (tmp_path / name).write_bytes(b"no image")
    known_ones = KnownMicrographs(str(tmp_path))
    for name, said in [("w", "'w' is not"), ("x", "may be"), ("y", r"y\.mrc"), ("z", r"z\.png")]:
        with pytest.raises(UsageError, match=f"`micrographs`.*{said}"):
            known_ones.fill(from_file(name, [1], [2]).micrograph)


@pytest.mark.parametrize("format", BOTH)
def test_cryosparcs_picks_become_any_others_and_come_back_by_like(tmp_path, mixed, format):
    export(mixed[1:2], "cs", tmp_path / "one")
    convert(tmp_path / "one", format, tmp_path / "out", settings=ExportSettings(box_px=64))
    back = ExportSettings(like=tmp_path / "one" / "particles.cs")
    done = convert(
        tmp_path / "out", "cs", tmp_path / "back", frame=CoordinateFrame(image_height=1240), settings=back
    )
    assert done.particles == 15
    (first,), (last,) = (read_coordinates(tmp_path / name).coordinates for name in ("one", "back"))
    assert last.micrograph == first.micrograph
    np.testing.assert_allclose(last.x_px, first.x_px, atol=0.51)
    np.testing.assert_allclose(last.y_px, first.y_px, atol=0.51)
