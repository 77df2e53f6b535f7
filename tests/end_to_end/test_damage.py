"""Every small file of a finished run, harmed in every way: a resumed run mends it or says what to do."""

import shutil

import pytest
from micrograph_files import LOG, phantom, write_mrc
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.picks.table import PickTable

HARMS = {
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(b"\x00\xff garbage \x80" * 20),
    "removed": lambda path: path.unlink(),
}


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    for seed in range(2):
        write_mrc(folder / f"{seed}.mrc", phantom(seed).pixels[:224, :256])
    return folder


@pytest.fixture(scope="module")
def finished(micrographs, tmp_path_factory):
    """A finished run: not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "run"
    words = ["run", micrographs, *LOG, "--out", out, "--engine", "serial"]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture
def run(cryopick, finished, micrographs, tmp_path):
    """A copy of that run, and how to go on with it."""
    shutil.copytree(finished, tmp_path / "run")

    def go_on(*more):
        return cryopick("run", micrographs, *LOG, "--out", tmp_path / "run", "--engine", "serial", *more)

    return tmp_path / "run", go_on


def picks(folder):
    return [
        (
            micrograph_picks.micrograph,
            micrograph_picks.diameter_A,
            micrograph_picks.x_px.tobytes(),
            micrograph_picks.score.tobytes(),
            micrograph_picks.picked.tobytes(),
        )
        for micrograph_picks in PickTable(folder / "table")
    ]


@pytest.mark.parametrize("harm", HARMS)
def test_whatever_is_harmed_is_mended_or_named(run, harm):
    folder, go_on = run
    whole, spare = picks(folder), folder.with_name("spare")
    shutil.copytree(folder, spare)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    named = []
    for name in names:
        HARMS[harm](folder / name)
        code, _, told = go_on("--resume")
        if code == 0:
            assert picks(folder) == whole, name
            # A picture that is lost is made again when somebody looks at it.
            assert (folder / name).is_file() or name.startswith("pictures/"), name
        else:
            assert code in (1, 2), (name, told)
            assert name in told, (name, told)
            assert "a bug?" not in told, (name, told)
            named.append(name)
        shutil.rmtree(folder)
        shutil.copytree(spare, folder)
    assert {name.split("/")[0] for name in named} <= {"config.yaml", "store.zarr"}


def test_an_edited_threshold_or_diameter_is_set_right(run, cryopick):
    folder, go_on = run
    whole = picks(folder)
    path = next(folder.glob("picks/*/settings.json"))
    text = path.read_text()
    assert '"diameter_A": 150.0' in text
    path.write_text(text.replace('"diameter_A": 150.0', '"diameter_A": 90.0'))
    code, _, told = cryopick("table", folder / "picks", "--out", folder.with_name("other"))
    assert code == 1
    assert str(path) in told
    code, _, told = go_on("--resume")
    assert code == 0
    assert "settings.json was damaged or changed, and is written again" in told
    assert path.read_text() == text
    assert picks(folder) == whole


@pytest.mark.parametrize("name", ["store.zarr/manifest", "picks", "table", "coordinates", "coordinates/star"])
def test_a_folder_that_became_a_link_is_refused(run, tmp_path, name):
    folder, go_on = run
    elsewhere = tmp_path / "elsewhere"
    (folder / name).rename(elsewhere)
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    (folder / name).symlink_to(elsewhere)
    code, _, told = go_on("--resume")
    if name != "store.zarr/manifest":  # nothing is to be written there
        assert code in (1, 2)
        assert f"{folder / name} is a symbolic link" in told
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["summary.json", "report.html", "coordinates/autopick.star", "config.yaml"])
def test_a_file_that_became_a_link_is_replaced(run, tmp_path, name):
    folder, go_on = run
    mine = tmp_path / "mine"
    (folder / name).rename(mine)
    before = mine.read_bytes()
    (folder / name).symlink_to(mine)
    assert go_on("--resume")[0] == 0
    assert not (folder / name).is_symlink()
    assert mine.read_bytes() == before
