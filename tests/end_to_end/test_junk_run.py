"""Whole runs whose model sees junk, or whose user masks some."""

import json
import shutil
from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import starfile
from micrograph_files import LOG, table_bytes
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.pickers.log import LogPicker
from cryopick_ray.picks.table import open_table
from cryopick_ray.runs.self_training.pseudo_labels import Grade, grade

SHAPE = (512, 576)


@pytest.fixture(scope="module")
def seeing():
    """Let the blob detector see carbon in the left third of every micrograph, in a block."""
    pick_many = LogPicker.pick_many
    mask = np.zeros((4, 3), np.uint8)
    mask[:, 0] = Junk.CARBON

    def with_masks(self, images):
        return [replace(item, mask=mask) for item in pick_many(self, images)]

    return lambda: mock.patch.object(LogPicker, "pick_many", with_masks)


@pytest.fixture(scope="module")
def once_seen(seeing, phantoms, tmp_path_factory):
    """A finished run with that carbon: not to be changed."""
    out = tmp_path_factory.mktemp("once") / "seen"
    words = ["run", phantoms / "micrographs", *LOG, "--out", out, "--engine", "serial"]
    with seeing():
        done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture
def seen(seeing, once_seen, tmp_path):
    """A copy of it, in whose tests the detector sees the same."""
    with seeing():
        yield shutil.copytree(once_seen, tmp_path / "seen")


def frame_of(run):
    return pd.read_parquet(run / "table").sort_values(["micrograph_id", "x_px", "y_px"], ignore_index=True)


def summary_of(run):
    return json.loads((run / "summary.json").read_text())


def exported(run):
    particles = starfile.read(run / "coordinates" / "particles.star")["particles"]
    return sorted(zip(particles.rlnCoordinateX.round(2), particles.rlnCoordinateY.round(2), strict=True))


def test_what_lies_on_junk_is_kept_and_told_but_not_picked_nor_exported(seen, serial_run, cryopick):
    blind, frame = frame_of(serial_run), frame_of(seen)
    assert frame[["micrograph_id", "x_px", "y_px", "score"]].equals(
        blind[["micrograph_id", "x_px", "y_px", "score"]]
    )
    on_junk = frame.junk == "carbon"
    assert np.abs(frame.x_px[on_junk].max() - SHAPE[1] / 3) < 12
    assert not frame.picked[on_junk].any()
    cut = summary_of(seen)["thresholds"]["micrographs"]["value"]
    told = int((on_junk & (frame.score >= np.float32(cut))).sum())
    assert summary_of(seen)["junk"] == {"carbon": told}
    assert told > 20
    assert len(exported(seen)) == frame.picked.sum() == summary_of(seen)["picked"]
    page = (seen / "report.html").read_text()
    assert f"{told:,} candidates above the threshold are not picked: {told:,} on carbon" in page
    assert page.count('<image href="data:image/png;base64,') == 12
    index = pd.read_parquet(seen / "table" / "_micrographs.parquet")
    assert set(index.junk_share) == {'{"carbon":0.333333}'}
    assert all((seen / "store.zarr" / key).is_file() for key in index["mask"])


def test_junk_is_kept_where_a_user_disagrees_and_nothing_is_picked_anew(seen, cryopick):
    before = {path: path.stat().st_mtime_ns for path in (seen / "picks").rglob("*.parquet")}
    assert cryopick("run", "--out", seen, "--resume", "--keep-junk")[0] == 0
    frame, cut = frame_of(seen), summary_of(seen)["thresholds"]["micrographs"]["value"]
    assert np.array_equal(frame.picked, frame.score >= np.float32(cut))
    assert (frame.junk == "carbon").any()
    assert summary_of(seen)["junk"] == {}
    assert {path: path.stat().st_mtime_ns for path in (seen / "picks").rglob("*.parquet")} == before
    for micrograph_picks in open_table(seen):
        assert not micrograph_picks.is_kept_out.any()


def test_an_export_at_another_threshold_leaves_junk_out_too(seen, cryopick, tmp_path):
    status, output, _ = cryopick(
        "export", seen, "--format", "star", "--out", tmp_path / "e", "--threshold", -5, "--json"
    )
    assert status == 0
    frame = frame_of(seen)
    assert json.loads(output)["picks"] == ((frame.score >= -5) & (frame.junk == "")).sum()


def test_evaluation_takes_what_lies_on_junk_for_no_candidate(seen, phantoms, cryopick):
    status, output, _ = cryopick("evaluate", seen, "--truth", phantoms / "truth", "--json")
    assert status == 0
    found = json.loads(output)
    frame = frame_of(seen)
    assert found["pooled"]["n_candidates"] == (frame.junk == "").sum() < len(frame)
    assert found["pooled"]["n_picks"] == frame.picked.sum()
    assert found["pooled"]["precision"] > 0.9
    assert found["pooled"]["recall"] < 0.8  # particles under the mask are missed
    assert any("(on junk) and count as none" in note for note in found["notes"])
    assert cryopick("run", "--out", seen, "--resume", "--set", "keep_junk=true")[0] == 0
    kept = json.loads(cryopick("evaluate", seen, "--truth", phantoms / "truth", "--json")[1])
    assert kept["pooled"]["n_candidates"] == len(frame)
    assert kept["pooled"]["auprc"] > found["pooled"]["auprc"] + 0.2


def test_nothing_is_learned_of_what_lies_on_junk(seen):
    graded = grade(open_table(seen), share=0.9, top=10_000)
    grades = np.concatenate([micrograph_picks for _, micrograph_picks in graded])
    on_junk = np.concatenate([micrograph_picks.is_kept_out for micrograph_picks, _ in graded])
    picked = np.concatenate([micrograph_picks.picked for micrograph_picks, _ in graded])
    assert set(grades[on_junk]) == {Grade.UNSURE}
    assert (grades[picked] >= Grade.PICKED).all()
    assert (grades == Grade.SURE).sum() == int(0.9 * picked.sum())


def test_a_killed_and_resumed_run_has_the_same_masks_and_table(seen, cryopick, tmp_path):
    out = tmp_path / "again"
    shutil.copytree(seen, out)
    (out / "summary.json").unlink()
    shards = sorted((out / "picks").rglob("*.parquet"))
    shards[0].unlink()
    masks = sorted((out / "store.zarr" / "masks").rglob("*.png"))
    masks[-1].unlink()
    assert cryopick("run", "--out", out, "--resume", "--engine", "serial")[0] == 0
    assert table_bytes(out) == table_bytes(seen)
    again = {path.name: path.read_bytes() for path in (out / "store.zarr" / "masks").rglob("*.png")}
    assert again == {path.name: path.read_bytes() for path in (seen / "store.zarr" / "masks").rglob("*.png")}
    assert len(again) == 12


def write_masks(folder, excluded, count=12):
    """Mask the first so many micrographs, at half the resolution."""
    for number in range(count):
        path = folder / f"square{number % 2}" / f"{number // 2:02d}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(excluded.astype(np.uint8)).save(path)


def lower_half():
    mask = np.zeros((SHAPE[0] // 2, SHAPE[1] // 2), bool)
    mask[SHAPE[0] // 4 :] = True
    return mask


def test_masks_of_the_user_are_a_pass_over_the_table_that_can_be_taken_back(serial_run, cryopick, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(serial_run, out)
    before = table_bytes(out)
    write_masks(tmp_path / "masks", lower_half())
    status, output, errors = cryopick("run", "--out", out, "--resume", "--masks", tmp_path / "masks")
    assert status == 0
    assert "pick" not in [line.split()[0] for line in errors.splitlines() if line]  # nothing was done again
    frame, plain = frame_of(out), frame_of(serial_run)
    inside = frame.y_px >= SHAPE[0] / 2 - 0.5
    assert np.array_equal(frame.junk == "masked", inside)
    assert np.array_equal(frame.picked, plain.picked & ~inside)
    assert plain.picked[inside].any()
    told = summary_of(out)["junk"]["masked"]
    assert f"{told} candidates above the threshold are not picked: {told} in masks given" in output
    assert [record for record in summary_of(out)["warnings"] if "mask" in record["text"]] == []
    # a user's own masks count where the model's are overruled
    assert cryopick("run", "--out", out, "--resume", "--keep-junk")[0] == 0
    assert np.array_equal(frame_of(out).picked, frame.picked)
    assert cryopick("run", "--out", out, "--resume", "--set", "masks=null", "--no-keep-junk")[0] == 0
    assert table_bytes(out) == before


def test_missing_unreadable_and_inverted_masks_are_told_once(serial_run, cryopick, tmp_path):
    out, folder = tmp_path / "run", tmp_path / "masks"
    shutil.copytree(serial_run, out)
    everything = np.ones((SHAPE[0] // 2, SHAPE[1] // 2), bool)
    everything[:4] = False
    write_masks(folder, everything, count=5)
    (folder / "square0" / "00_mask.png").write_bytes(b"no picture")
    assert cryopick("run", "--out", out, "--resume", "--masks", folder)[0] == 0
    texts = [record["text"] for record in summary_of(out)["warnings"] if "mask" in record["text"]]
    assert len(texts) == 3
    assert texts[0].startswith(f"7 of 12 micrographs have no mask in {folder}")
    assert "exclude 98% of all pixels: perhaps they are the other way round" in texts[1]
    assert "square0/00_mask.png masks nothing" in texts[2]
    assert "micrographs have no mask" in (out / "report.html").read_text()


@pytest.mark.parametrize("there", [False, True])
def test_masks_that_are_no_folder_or_may_be_of_several_micrographs_change_nothing(
    serial_run, cryopick, tmp_path, there
):
    out, folder = tmp_path / "run", tmp_path / "masks"
    shutil.copytree(serial_run, out)
    if there:
        folder.mkdir()
        Image.fromarray(lower_half().astype(np.uint8)).save(folder / "00.png")
    before = (out / "config.yaml").read_bytes()
    status, _, errors = cryopick("run", "--out", out, "--resume", "--masks", folder)
    assert status == 2
    assert "--masks" in errors
    assert ("may be the mask of square0/00.mrc" in errors) == there
    assert (out / "config.yaml").read_bytes() == before


def test_the_table_command_takes_masks_too(serial_run, cryopick, tmp_path):
    write_masks(tmp_path / "masks", lower_half())
    table = tmp_path / "t"
    assert cryopick("table", serial_run / "picks", "--out", table, "--masks", tmp_path / "masks")[0] == 0
    frame = pd.read_parquet(table)
    assert np.array_equal(frame.junk == "masked", frame.y_px >= SHAPE[0] / 2 - 0.5)
    assert not frame.picked[frame.junk == "masked"].any()
