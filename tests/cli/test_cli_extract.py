"""``cryopick extract``: what it says, and with which exit status."""

import json

import mrcfile
import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Two micrographs, of which one is torn, and places in both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mics").mkdir()
    (tmp_path / "places").mkdir()
    for name in "ab":
        with mrcfile.new(tmp_path / f"mics/{name}.mrc") as mrc:
            mrc.set_data(np.random.default_rng(0).normal(size=(100, 120)).astype(np.float32))
            mrc.voxel_size = 2
        (tmp_path / f"places/{name}.box").write_text("40 30 20 20\n60 50 20 20\n")
    (tmp_path / "mics/b.mrc").write_bytes(b"torn")
    return ["extract", "places", "--micrographs", "mics", "--engine", "serial", "--out", "out"]


def test_counts_are_told_and_failures_are_the_exit_status(arguments):
    status, text, told = call(*arguments, "--box", "32", "--json")
    outcome = json.loads(text)
    assert status == 3
    assert [failure["micrograph_id"] for failure in outcome["failures"]] == ["b.mrc"]
    assert [(one["particles"], one["boxes_px"]) for one in outcome["files"]] == [(2, [32])]
    assert "nothing is known of the CTF" in told
    assert "--voltage-kv" in told
    status, text, _ = call(*arguments, "--box", "32", "--resume")
    assert (status, "1 micrographs failed" in text) == (3, True)


def test_sizes_are_given_in_pairs(arguments):
    sizes = ["--box", "32", "--scale-to", "16", "--box", "80A", "--scale-to", "20"]
    status, text, _ = call(*arguments, *sizes, "--json")
    files = {one["star"].rpartition("/")[2]: one for one in json.loads(text)["files"]}
    assert status == 3
    assert {name: (file["boxes_px"], file["pixel_sizes_A"]) for name, file in files.items()} == {
        "particles_32px_to_16px.star": ([16], [4.0]),
        "particles_80A_to_20px.star": ([20], [4.0]),
    }


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([], ["--box"]),
        (["--box", "31"], ["--box is '31'", "even"]),
        (["--box", "32", "--scale-to", "x"], ["--scale-to", "'x'"]),
        (["--box", "32", "--out", "s3://bucket/x"], ["s3://bucket/x", "folder"]),
    ],
)
def test_wrong_usage_names_the_option(arguments, wrong, words):
    status, _, told = call(*arguments, *wrong)
    assert status == 2
    for word in words:
        assert word in told
