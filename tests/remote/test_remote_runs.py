"""From an archive or a web server to STAR files, movies included, with the real command."""

import json
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile
from archive_server import SET, Archive, served
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.simulate.phantom import make_phantom

PIXEL_SIZE_A, DIAMETER_A, SIDE = 4.0, 150.0, 384
LOG = ["--model", "log", "--diameter", "150", "--invert", "no", "--engine", "serial"]
DRIFT_PX = np.array([[-3, 2], [-1, 1], [0, 0], [1, -1], [3, -2]])
"""x and y of each frame."""


def phantom(seed):
    return make_phantom(
        seed,
        shape=(SIDE, SIDE + 32),
        pixel_size_A=PIXEL_SIZE_A,
        diameter_A=DIAMETER_A,
        particles=12,
        signal_to_noise=0.1,
    )


def mrc_bytes(folder, pixels, pixel_size_A=PIXEL_SIZE_A):
    path = folder / "one.mrc"
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(pixels)
        if pixels.ndim == 3:
            mrc.set_image_stack()
        mrc.voxel_size = pixel_size_A
    return path.read_bytes()


def movie(seed):
    """Return a phantom that drifts, over five noisy frames of counts."""
    image = phantom(seed).pixels
    image = 60 + 20 * (image - image.mean()) / image.std()
    rng = np.random.default_rng(seed)
    frames = [np.roll(image, (y, x), (0, 1)) + rng.normal(0, 8, image.shape) for x, y in DRIFT_PX]
    return np.stack(frames).astype(np.float32)


@pytest.fixture
def serve(monkeypatch):
    """Start an archive on loopback; for this process and its children."""
    opened = []

    def start(archive):
        server = served(archive)
        server.__enter__()
        opened.append(server)
        for name, place in (("API", "api"), ("SEARCH", "search"), ("FILES", "files")):
            monkeypatch.setenv(f"CRYOPICK_EMPIAR_{name}", f"{archive.url}/{place}")
        for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(proxy, raising=False)
        return archive

    yield start
    for server in opened:
        server.__exit__(None, None, None)


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def averages_archive(tmp_path, count=6):
    archive = Archive()
    archive.entry["imagesets"] = [SET | {"image_width": str(SIDE + 32), "pixel_width": PIXEL_SIZE_A}]
    for seed in range(count):
        archive.add(f"data/images/grid {seed % 2}/m{seed}.mrc", mrc_bytes(tmp_path, phantom(seed).pixels))
    return archive


def local_table(tmp_path, archive):
    """Pick the same files from a folder; return the table."""
    for path, data in archive.files.items():
        target = tmp_path / "local" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    assert run("run", tmp_path / "local", *LOG, "--out", tmp_path / "local run").exit_code == 0
    return picks(tmp_path / "local run")


def picks(out):
    columns = ["micrograph_id", "x_px", "y_px", "score", "picked"]
    return pd.read_parquet(out / "table")[columns]


def test_an_entry_is_picked_through_a_bad_network_as_the_same_files_are_from_a_folder(tmp_path, serve):
    archive = serve(averages_archive(tmp_path))
    first, second, *_ = sorted(archive.files)
    archive.faults[first] = [("status", 500), ("cut", 1000)]
    archive.faults[second] = [("status", 429)]
    result = run("run", "empiar:10999", *LOG, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert picks(tmp_path / "run").equals(local_table(tmp_path, archive))
    listed = starfile.read(tmp_path / "run" / "coordinates" / "autopick.star")
    assert len(listed) == len(archive.files)
    kept = {
        p.relative_to(tmp_path / "run" / "download").as_posix() for p in (tmp_path / "run").rglob("m*.mrc")
    }
    assert kept == set(archive.files)


def test_files_make_room_where_the_disk_is_bounded_and_nothing_is_fetched_twice(tmp_path, serve):
    archive = serve(averages_archive(tmp_path))
    three = 3 * len(next(iter(archive.files.values()))) / 1e9
    command = ["run", "empiar:10999", *LOG, "--out", tmp_path / "run", "--disk-gb", three]
    assert run(*command).exit_code == 0
    assert list((tmp_path / "run" / "download").rglob("*.mrc")) == []
    assert picks(tmp_path / "run").equals(local_table(tmp_path, archive))
    sent = {path: archive.sent(path) for path in archive.files}
    assert sent == {path: len(data) for path, data in archive.files.items()}
    assert run(*command, "--resume").exit_code == 0
    assert {path: archive.sent(path) for path in archive.files} == sent


def test_a_run_that_goes_on_counts_each_micrograph_of_the_entry_once(tmp_path, serve):
    archive = serve(averages_archive(tmp_path))
    missing = {path: archive.files.pop(path) for path in sorted(archive.files)[2:]}
    command = ["run", "empiar:10999", *LOG, "--out", tmp_path / "run"]
    assert run(*command).exit_code == 0
    archive.files |= missing
    again = run(*command, "--resume")
    assert again.exit_code == 0, again.output
    assert "pick: 6 micrographs, 2 already done" in again.output, again.output


def test_a_run_of_an_entry_teaches_its_model_without_its_files(tmp_path, serve):
    archive = serve(averages_archive(tmp_path))
    alone = ["--engine", "serial", "--device", "cpu", "--threads", 1]
    command = ["run", "empiar:10999", "--diameter", 150, *alone, "--threshold", 0.1, "--disk-gb", 1]
    assert run(*command, "--exclude", "m0*", "--out", tmp_path / "first").exit_code == 0
    assert list((tmp_path / "first" / "download").rglob("*.mrc")) == []
    asked = {path: archive.sent(path) for path in archive.files}
    assert [path for path, sent in asked.items() if not sent] == ["data/images/grid 0/m0.mrc"]
    few = [f"--set={text}" for text in ("epochs=1", "steps=1", "batch=2", "options.crop_px=64")]
    result = run("self-train", tmp_path / "first", "--out", tmp_path / "second", *alone, *few)
    assert result.exit_code == 0, result.output
    assert set(picks(tmp_path / "second")["micrograph_id"]) <= set(archive.files)
    assert json.loads((tmp_path / "second" / "summary.json").read_text())["complete"] == 5
    assert {path: archive.sent(path) for path in archive.files} == asked


def test_a_file_that_never_comes_is_a_failure_with_its_reason(tmp_path, serve):
    archive = serve(averages_archive(tmp_path))
    lost = sorted(archive.files)[-1]
    archive.always[lost] = ("status", 403)
    result = run("run", "empiar:10999", *LOG, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 3
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["complete"] == len(archive.files) - 1
    [failure] = summary["failures"]
    assert failure["micrograph_id"] == lost
    assert "cannot be fetched" in failure["reason"]
    del archive.always[lost]
    assert run("run", "--out", tmp_path / "run", "--resume", "--engine", "serial").exit_code == 0
    assert picks(tmp_path / "run").equals(local_table(tmp_path, archive))


def test_movies_of_an_entry_are_aligned_with_its_gain_and_picked_on_their_averages(tmp_path, serve):
    archive = Archive()
    frames = {"frames_per_image": 5, "category": "micrographs - multiframe", "directory": "data/movies"}
    archive.entry["imagesets"] = [SET | frames | {"image_width": str(SIDE + 32), "pixel_width": PIXEL_SIZE_A}]
    gain = np.random.default_rng(0).uniform(0.8, 1.2, (SIDE, SIDE + 32)).astype(np.float32)
    for seed in range(3):
        raw = (movie(seed) / gain).astype(np.float32)
        archive.add(f"data/movies/m{seed}_frames.mrc", mrc_bytes(tmp_path, raw, 1.0))
    archive.add("data/movies/gain_ref.mrc", mrc_bytes(tmp_path, gain))
    serve(archive)
    result = run("run", "empiar:10999", *LOG, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    averages = sorted((tmp_path / "run" / "micrographs").rglob("*.mrc"))
    assert [path.name for path in averages] == [f"m{seed}_frames.mrc" for seed in range(3)]
    assert not list((tmp_path / "run" / "download").rglob("*_frames.mrc"))
    for seed, path in enumerate(averages):
        with mrcfile.open(path) as mrc:
            assert float(mrc.voxel_size.x) == pytest.approx(PIXEL_SIZE_A)
            average = mrc.data.copy()
        still = phantom(seed).pixels
        assert np.corrcoef(average.ravel(), still.ravel())[0, 1] > 0.9
    frame = picks(tmp_path / "run").query("picked")
    for seed in range(3):
        truth = phantom(seed)
        own = frame[frame.micrograph_id == f"data/movies/m{seed}_frames.mrc"]
        near = [
            np.hypot(own.x_px - x, own.y_px - y).min() for x, y in zip(truth.x_px, truth.y_px, strict=True)
        ]
        assert np.median(near) < 3
    listed = starfile.read(tmp_path / "run" / "coordinates" / "autopick.star")
    assert all(Path(name).name.endswith("_frames.mrc") for name in listed.rlnMicrographName)
    assert all("micrographs/data/movies" in name for name in listed.rlnMicrographName)


@pytest.mark.parametrize("engine", ["serial", "ray"])
def test_a_web_folder_is_an_input_as_a_local_one_is(tmp_path, serve, engine):
    archive = serve(averages_archive(tmp_path, 4))
    url = f"{archive.url}/files/10999/data"
    options = [*LOG[:-1], engine]
    result = run("run", url, *options, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    ours, local = picks(tmp_path / "run"), local_table(tmp_path, archive)
    local.micrograph_id = local.micrograph_id.str.removeprefix("data/")
    assert ours.equals(local)


def test_a_web_folder_is_planned_by_sizes_that_the_server_tells(tmp_path, serve):
    archive = serve(averages_archive(tmp_path, 4))
    plan = ["plan", f"{archive.url}/files/10999/data", *LOG, "--workers", 2, "--json"]
    foretold = json.loads(run(*plan).stdout)
    assert foretold["micrographs"] == 4
    assert foretold["source_bytes"] == sum(map(len, archive.files.values()))
    assert foretold["store_bytes"] > 0
    result = run("plan", "empiar:10999", *LOG)
    assert (result.exit_code, "cryopick empiar list" in result.stderr) == (2, True)


def test_a_run_that_is_killed_goes_on_and_fetches_nothing_twice(tmp_path, serve):
    archive = serve(averages_archive(tmp_path, 8))
    for path in archive.files:
        archive.always[path] = ("slow", 20_000, 0.05)
    command = [sys.executable, "-m", "cli.main", "run", "empiar:10999", *LOG, "--out", str(tmp_path / "run")]
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(command, timeout=6, capture_output=True)
    archive.always.clear()
    assert run(*command[3:], "--resume").exit_code == 0
    assert picks(tmp_path / "run").equals(local_table(tmp_path, archive))
    for path, data in archive.files.items():
        assert archive.sent(path) <= len(data) + 2**20  # what was on its way when it was killed


def test_movies_of_a_folder_and_of_a_star_file_are_averaged(tmp_path):
    folder = tmp_path / "Movies"
    folder.mkdir()
    for seed in range(2):
        (folder / f"m{seed}.mrcs").write_bytes(mrc_bytes(tmp_path, movie(seed)))
    assert run("run", folder, *LOG, "--out", tmp_path / "a").exit_code == 0
    movies = pd.DataFrame(
        {"rlnMicrographMovieName": [f"Movies/m{n}.mrcs" for n in range(2)], "rlnOpticsGroup": 1}
    )
    optics = pd.DataFrame({"rlnOpticsGroup": [1], "rlnMicrographOriginalPixelSize": [PIXEL_SIZE_A]})
    starfile.write({"optics": optics, "movies": movies}, tmp_path / "movies.star")
    command = ["run", tmp_path / "movies.star", *LOG, "--out", tmp_path / "b"]
    assert run(*command, "--relion-project", tmp_path).exit_code == 0
    first, other = picks(tmp_path / "a"), picks(tmp_path / "b")
    assert first.drop(columns="micrograph_id").equals(other.drop(columns="micrograph_id"))
    listed = starfile.read(tmp_path / "b" / "coordinates" / "autopick.star")
    assert list(listed.rlnMicrographName) == ["b/micrographs/m0.mrc", "b/micrographs/m1.mrc"]


def test_a_micrograph_file_that_is_really_a_stack_is_a_movie(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "stack.mrc").write_bytes(mrc_bytes(tmp_path, movie(0)))
    (folder / "image.mrc").write_bytes(mrc_bytes(tmp_path, phantom(1).pixels))
    assert run("run", folder, *LOG, "--out", tmp_path / "run", "--binning", 2).exit_code == 0
    with mrcfile.open(tmp_path / "run" / "micrographs" / "stack.mrc") as mrc:
        assert mrc.data.shape == (SIDE // 2, (SIDE + 32) // 2)
        assert float(mrc.voxel_size.x) == pytest.approx(2 * PIXEL_SIZE_A)
    assert set(picks(tmp_path / "run").micrograph_id) == {"stack.mrc", "image.mrc"}


def test_movies_that_would_share_an_average_are_refused(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.mrcs", "a.eer"):
        (folder / name).write_bytes(mrc_bytes(tmp_path, movie(0)))
    listed = tmp_path / "movies.star"
    listed.write_text("data_movies\nloop_\n_rlnMicrographMovieName\nin/a.mrcs\nin/a.eer\n")
    result = run("run", listed, *LOG, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "would have one average" in result.output


def test_movies_without_a_pixel_size_stop_the_run_before_it_begins(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.mrcs").write_bytes(mrc_bytes(tmp_path, movie(0), 0.0))
    result = run("run", folder, *LOG, "--out", tmp_path / "run")
    assert (result.exit_code, "--pixel-size" in result.output) == (2, True)
    assert not (tmp_path / "run").exists()
