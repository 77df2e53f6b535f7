"""The whole way, on real files, with the real command."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile
from micrograph_files import LOG, broken_folder, phantom, table_bytes, write_mrc

from cryopick_ray.errors import CryoPickError


def test_a_run_leaves_what_it_promises(serial_run, phantoms):
    names = {path.name for path in serial_run.iterdir() if not path.name.startswith(".")}
    assert names == {
        "config.yaml",
        "store.zarr",
        "picks",
        "table",
        "coordinates",
        "pictures",
        "report.html",
        "summary.json",
    }
    summary = json.loads((serial_run / "summary.json").read_text())
    frame = pd.read_parquet(serial_run / "table")
    assert (summary["complete"], summary["failed"]) == (12, 0)
    assert (summary["candidates"], summary["picked"]) == (len(frame), frame.picked.sum())
    assert set(frame.micrograph_id) == {f"square{n % 2}/{n // 2:02d}.mrc" for n in range(12)}


def test_relion_gets_the_picks_of_the_table(serial_run):
    particles = starfile.read(serial_run / "coordinates" / "particles.star")["particles"]
    frame = pd.read_parquet(serial_run / "table").query("picked")
    assert len(particles) == len(frame)
    assert np.allclose(particles.rlnCoordinateX, frame.x_px, atol=1e-3)
    listed = starfile.read(serial_run / "coordinates" / "autopick.star")
    item = starfile.read(listed.rlnMicrographCoordinates[0])
    assert len(item) == (frame.micrograph_id == "square0/00.mrc").sum()


def test_picks_find_the_truth_without_a_shift(serial_run, phantoms, cryopick):
    status, output, _ = cryopick("evaluate", serial_run, "--truth", phantoms / "truth", "--json")
    assert status == 0
    assert json.loads(output)["pooled"]["f1"] > 0.95
    frame = pd.read_parquet(serial_run / "table").query("picked")
    shifts = []
    for name, picks in frame.groupby("micrograph_id"):
        truth = starfile.read(phantoms / "truth" / Path(name).with_suffix(".star"))
        for x, y in zip(truth.rlnCoordinateX, truth.rlnCoordinateY, strict=True):
            nearest = picks.iloc[np.hypot(picks.x_px - x, picks.y_px - y).argmin()]
            if np.hypot(nearest.x_px - x, nearest.y_px - y) < 8:
                shifts.append((nearest.x_px - x, nearest.y_px - y))
    error = np.std(shifts, axis=0) / np.sqrt(len(shifts))
    assert (np.abs(np.mean(shifts, axis=0)) < 4 * error + 0.05).all()


def test_bad_files_are_rows_with_reasons_and_the_good_ones_are_picked(cryopick, tmp_path):
    reasons = broken_folder(tmp_path / "in")
    out = tmp_path / "run"
    arguments = ["run", tmp_path / "in", *LOG, "--out", out, "--engine", "serial", "--json"]
    status, output, _ = cryopick(*arguments)
    assert status == 3
    failures = {line["micrograph_id"]: line["reason"] for line in json.loads(output)["failures"]}
    assert set(failures) == set(reasons)
    assert all(expected in failures[name] and failures[name] for name, expected in reasons.items()), failures
    frame = pd.read_parquet(out / "table").query("picked")
    picks = {
        name: rows[["x_px", "y_px", "score"]].to_numpy() for name, rows in frame.groupby("micrograph_id")
    }
    assert set(picks) == {"good.mrc", "big_endian.mrc"}
    assert np.array_equal(picks["good.mrc"], picks["big_endian.mrc"])
    assert "constant.mrc" in (out / "report.html").read_text()


def test_two_data_sets_with_equal_names_stay_apart(phantoms, cryopick, tmp_path):
    out = tmp_path / "run"
    folders = [phantoms / "micrographs" / name for name in ("square0", "square1")]
    assert cryopick("run", *folders, *LOG, "--out", out, "--engine", "serial")[0] == 0
    frame = pd.read_parquet(out / "table")
    assert frame.groupby("dataset").micrograph_id.nunique().to_dict() == {"square0": 6, "square1": 6}
    assert frame.micrograph_id.str.startswith(("square0/", "square1/")).all()
    assert (out / "report.html").is_file()


def test_stages_one_by_one_give_the_table_of_a_run(phantoms, serial_run, cryopick, tmp_path):
    store, picks, table = tmp_path / "store.zarr", tmp_path / "picks", tmp_path / "out" / "table"
    inputs = phantoms / "micrographs"
    serial = ["--engine", "serial"]
    assert cryopick("ingest", inputs, "--store", store, "--store-pixel-size", 12.5, *serial)[0] == 0
    assert cryopick("pick", "--store", store, "--out", picks, *LOG, *serial)[0] == 0
    assert cryopick("table", picks, "--out", table)[0] == 0
    assert table_bytes(table.parent) == table_bytes(serial_run)
    for form in ("star", "box", "cbox", "cs", "csv", "topaz"):
        if form == "topaz":  # its files name micrographs by stem, and two of ours share each
            continue
        assert cryopick("export", table, "--format", form, "--out", tmp_path / form, "--threshold", 3)[0] == 0
        assert any((tmp_path / form).rglob("*.*"))


def test_a_store_too_coarse_for_the_model_names_the_option(phantoms, cryopick, tmp_path):
    store = tmp_path / "store.zarr"
    inputs = phantoms / "micrographs"
    assert (
        cryopick("ingest", inputs, "--store", store, "--store-pixel-size", 30, "--engine", "serial")[0] == 0
    )
    status, _, errors = cryopick(
        "pick", "--store", store, "--out", tmp_path / "p", *LOG, "--engine", "serial"
    )
    assert status == 2
    assert "--store-pixel-size 12.5" in errors


def test_a_table_never_replaces_what_is_no_table(serial_run, cryopick, tmp_path):
    (tmp_path / "thesis.txt").write_text("gold")
    status, _, errors = cryopick("table", serial_run / "picks", "--out", tmp_path)
    assert (status, "is no table" in errors) == (2, True)
    assert (tmp_path / "thesis.txt").read_text() == "gold"


def test_picks_of_another_store_in_one_folder_count_for_nothing(cryopick, tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        write_mrc(tmp_path / name / "m.mrc", phantom(seed).pixels)
        arguments = ["--store", tmp_path / f"{name}.zarr", "--engine", "serial"]
        assert cryopick("ingest", tmp_path / name, *arguments)[0] == 0
        status, _, errors = cryopick("pick", *arguments, "--out", tmp_path / "p", *LOG)
        assert status == 0
    assert "m.mrc: picked from another image than the store's" in errors
    tables = {}
    for name in "ab":
        gathered = ["--store", tmp_path / f"{name}.zarr", "--out", tmp_path / f"{name}-table"]
        assert cryopick("table", tmp_path / "p", *gathered)[0] == 0
        tables[name] = pd.read_parquet(tmp_path / f"{name}-table")
    assert len(tables["a"]) > 0
    assert not tables["a"].equals(tables["b"])


def test_a_zero_padded_micrograph_is_picked_like_any_other(cryopick, tmp_path):
    padded = np.zeros((900, 900), np.float32)
    padded[:512, :576] = phantom(3).pixels
    write_mrc(tmp_path / "in" / "padded.mrc", padded)
    arguments = [*LOG, "--out", tmp_path / "run", "--engine", "serial"]
    assert cryopick("run", tmp_path / "in", *arguments)[0] == 0


def test_a_diameter_of_less_than_a_pixel_stops_the_run(cryopick, phantoms, tmp_path):
    arguments = ["--model", "log", "--diameter", 0.5, "--out", tmp_path / "run", "--engine", "serial"]
    status, _, errors = cryopick("run", phantoms / "micrographs", *arguments)
    assert (status, "--diameter" in errors) == (2, True)


def test_bright_particles_are_found_and_told_where_it_is_not_said(cryopick, tmp_path):
    pixels = [phantom(seed).pixels for seed in (2, 3)]
    for folder, signs in {"dark": (1, 1), "bright": (-1, -1), "mixed": (1, -1)}.items():
        for name, sign, image in zip("ab", signs, pixels, strict=True):
            write_mrc(tmp_path / folder / f"{name}.mrc", sign * image)
    common = [*LOG[: LOG.index("--invert")], "--engine", "serial"]
    told = {}
    runs = {"dark": [], "bright": [], "mixed": [], "bright ": ["--invert"], "dark ": ["--invert=no"]}
    for name, given in runs.items():
        out = tmp_path / "runs" / name
        status, told[out], _ = cryopick("run", *given, tmp_path / name.strip(), "--out", out, *common)
        assert status == 0
    dark, *others = (pd.read_parquet(out / "table")[["x_px", "y_px"]].to_numpy() for out in told)
    assert all(np.allclose(dark, other, atol=0.05) for other in others)
    found = [re.findall(r"(\d of \d) micrographs have bright particles", text) for text in told.values()]
    assert found == [[], ["2 of 2"], ["1 of 2"], [], []]


def test_a_run_from_its_saved_settings_gives_the_same_table(serial_run, cryopick, tmp_path):
    out = tmp_path / "again"
    arguments = ["--config", serial_run / "config.yaml", "--out", out, "--engine", "serial"]
    assert cryopick("run", *arguments)[0] == 0
    assert table_bytes(out) == table_bytes(serial_run)


def test_lower_layers_raise_only_errors_meant_for_people(tmp_path):
    from cryopick_ray.pickers.catalogue import load_picker

    with pytest.raises(CryoPickError, match="`model`"):
        load_picker("nonsense", particle_px=None, device="cpu")
