from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.formats.export_paths import relative_path, without_extension
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import WRITTEN, export

ESCAPES = ["/etc/x", "../x", "a/../../x", "a//x", "", ".", "a/.", "a/", "a\nb", "a\0b"]


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("format", WRITTEN)
def test_every_format_writes_below_its_folder_only(tmp_path, make_picks, format):
    picks = [make_picks("a/x.mrc"), make_picks("y.tif"), make_picks("b/z.mrc", status="failed")]
    out = tmp_path / "deep" / "out"
    export(picks, format, out)
    assert files(out)
    assert files(tmp_path) == {f"deep/out/{name}" for name in files(out)}
    assert not any(name.endswith(".part") or "z" in name for name in files(out))


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("micrograph_id", ESCAPES)
def test_ids_that_cannot_name_a_file_are_told_and_the_others_are_written(
    tmp_path, make_picks, format, micrograph_id
):
    told = []
    picks = [make_picks(micrograph_id, relion_name="x"), make_picks("good.mrc")]
    export(picks, format, tmp_path / "with", ExportSettings(say=told.append))
    export(picks[1:], format, tmp_path / "without", ExportSettings(say=[].append))
    assert any("micrograph id" in text and "left out" in text for text in told)
    with_it, without = (
        {path.name for path in (tmp_path / where).rglob("*")} for where in ("with", "without")
    )
    assert with_it == without
    assert {path.parts[0] for path in map(Path, files(tmp_path))} == {"with", "without"}


@pytest.mark.parametrize("format", WRITTEN)
def test_a_micrograph_that_comes_twice_is_refused(tmp_path, make_picks, format):
    with pytest.raises(PicksError, match="distinct"):
        export([make_picks("x.mrc"), make_picks("x.mrc")], format, tmp_path)


@pytest.mark.parametrize("format", WRITTEN)
def test_a_new_export_takes_the_place_of_the_old(tmp_path, make_picks, format):
    export([make_picks("x.mrc", picked=1)], format, tmp_path)
    before = files(tmp_path)
    export([make_picks("x.mrc", picked=9)], format, tmp_path)
    assert files(tmp_path) == before


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match=r"'xml'.*star, box, cbox, cs, csv, topaz.*`format`"):
        export([], "xml", tmp_path)


def test_settings_reach_the_formats(tmp_path, make_picks):
    export([make_picks("x.mrc", 2)], "box", tmp_path, ExportSettings(box_px=44))
    assert (tmp_path / "x.box").read_text().split()[2:4] == ["44", "44"]


@given(st.text())
def test_a_path_that_is_accepted_stays_below_any_folder(tmp_path_factory, micrograph_id):
    root = tmp_path_factory.getbasetemp() / "root"
    try:
        path = relative_path(micrograph_id)
    except PicksError:
        return
    assert str(path) == micrograph_id
    assert (root / path).is_relative_to(root)
    assert ".." not in (root / path).parts


@pytest.mark.parametrize(
    ("micrograph_id", "stem"),
    [("a/x.mrc", "a/x"), ("x.MRC.gz", "x"), ("x.y.tif", "x.y"), ("2020.01/x", "2020.01/x")],
)
def test_extensions_and_packing_are_cut_off(micrograph_id, stem):
    assert str(without_extension(micrograph_id)) == stem
