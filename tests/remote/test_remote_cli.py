"""``cryopick empiar`` as a person and as a program use it."""

import json

import pytest
import typer
from archive_server import ENTRY, SET
from downloads import assert_whole
from typer.testing import CliRunner

from cli import empiar
from cli.main import Group

APP = typer.Typer(cls=Group)
APP.add_typer(empiar.app, name="empiar")


def cryopick(*arguments):
    return CliRunner().invoke(APP, ["empiar", *map(str, arguments)])


def answer(*arguments, status=0):
    done = cryopick(*arguments, "--json")
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


def test_search(archive):
    done = cryopick("search", "apoferritin", "--limit", 3)
    assert done.exit_code == 0
    assert "EMPIAR-10002  apoferritin 2" in done.stdout
    assert "3 of 130" in done.stdout
    assert len(answer("search", "apoferritin", "--limit", 3)["entries"]) == 3


def test_show(archive):
    done = cryopick("show", ENTRY)
    assert done.exit_code == 0
    for text in (
        "EMPIAR-10999",
        "Noise",
        "Averages",
        "micrographs - single frame",
        "1.77 A/px",
        "4096 x 4096",
    ):
        assert text in done.stdout
    assert answer("show", ENTRY)["image_sets"][0]["pixel_size_A"] == 1.77


def test_list_says_what_fetch_would_fetch(archive, micrographs):
    done = cryopick("list", f"EMPIAR-{ENTRY}")
    assert done.exit_code == 0
    assert "gain_ref.mrc" in done.stderr
    assert "micrographs in data/images: 6; movies left out: 1" in done.stderr
    assert [file["path"] for file in answer("list", ENTRY)["files"]] == micrographs
    assert [file["path"] for file in answer("list", ENTRY, "--limit", 2)["files"]] == micrographs[:2]
    (gain,) = answer("list", ENTRY, "--pattern", "gain*")["files"]
    assert (gain["role"], gain["bytes"]) == ("gain", pytest.approx(5000, rel=0.02))


def test_movies_are_listed_where_they_are_asked(archive):
    archive.entry["imagesets"] = [SET, SET | {"name": "Movies", "frames_per_image": 38}]
    archive.files = {"data/images/a.tif": b"x" * 99, "data/images/a_DW.mrc": b"x" * 99}
    assert [file["path"] for file in answer("list", ENTRY)["files"]] == ["data/images/a_DW.mrc"]
    movies = answer("list", ENTRY, "--image-set", "Movies")["files"]
    assert [(file["path"], file["role"]) for file in movies] == [("data/images/a.tif", "movie")]


def test_fetch_and_fetch_again(archive, micrographs, tmp_path):
    done = cryopick("fetch", ENTRY, "--out", tmp_path / "new")
    assert done.exit_code == 0
    assert "6 files (1.2 MB)" in done.stdout
    assert_whole(tmp_path / "new", archive, micrographs)
    before = len(archive.log)
    outcome = answer("fetch", ENTRY, "--out", tmp_path / "new")
    assert (outcome["fetched"], outcome["failures"]) == (6, [])
    assert len(archive.log) == before


def test_fetch_with_failures(archive, micrographs, tmp_path):
    archive.always[micrographs[0]] = ("status", 404)
    archive.extra_rows["data/images"] = ['<a href="../../../x.mrc">x</a>']
    done = cryopick("fetch", ENTRY, "--out", tmp_path)
    assert done.exit_code == 3
    assert "2 failed" in done.stdout
    outcome = answer("fetch", ENTRY, "--out", tmp_path, status=3)
    assert outcome["fetched"] == 5
    assert outcome["failures"][0]["path"] == micrographs[0]
    assert "leads out" in outcome["refused"][0]["reason"]


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("show", "nonsense"), 2, "10017"),
        (("show", "10001"), 1, "no entry 10001"),
        (("list", ENTRY, "--image-set", "9"), 2, "--image-set"),
        (("list", ENTRY, "--pattern", "*.xyz"), 1, "fits '*.xyz'"),
        (("fetch", ENTRY), 2, "--out"),
        (("fetch", ENTRY, "--out", "x", "--connections", "100"), 2, "connections"),
    ],
)
def test_what_cannot_be_done(archive, tmp_path, monkeypatch, arguments, status, text):
    monkeypatch.chdir(tmp_path)
    done = cryopick(*arguments)
    assert done.exit_code == status
    assert text in done.output
    assert "Traceback" not in done.output


def test_a_folder_of_another_entry_is_refused(archive, tmp_path):
    cryopick("fetch", ENTRY, "--out", tmp_path)
    done = cryopick("fetch", "10017", "--out", tmp_path)
    assert done.exit_code == 2
    assert "--out" in done.output


def test_an_archive_that_is_away(archive, monkeypatch):
    from cryopick_ray.transfer import http

    monkeypatch.setattr(http, "TRIES", 2)
    monkeypatch.setenv("CRYOPICK_EMPIAR_API", "http://127.0.0.1:9/api")
    done = cryopick("show", ENTRY)
    assert done.exit_code == 1
    assert "127.0.0.1:9 cannot be reached" in done.output


def test_an_interrupted_fetch_says_that_it_goes_on(archive, tmp_path, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cryopick_ray.empiar.fetcher.Fetcher.wait", interrupted)
        done = cryopick("fetch", ENTRY, "--out", tmp_path)
    assert done.exit_code == 130
    assert "interrupted; the same command goes on where it ended" in " ".join(done.stderr.split())
    assert "--resume" not in done.stderr
    assert cryopick("fetch", ENTRY, "--out", tmp_path).exit_code in (0, 3)
