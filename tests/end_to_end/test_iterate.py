"""Pick, extract, classify, keep, teach, pick again: through the real command."""

import json
import shutil

import pandas as pd
import pytest
from small_learning import ALONE, succeed

TRAINING = ["--set", "options.crop_px=64", "--set", "steps=4", "--set", "epochs=1"]
TRAINING += ["--set", "rounds=1", "--set", "simulated_share=0"]


@pytest.fixture(scope="module")
def few(first, tmp_path_factory):
    """That run with few picks of each micrograph, which are soon classified: not to be changed."""
    run = tmp_path_factory.mktemp("few") / "run"
    shutil.copytree(first, run)
    succeed("run", "--out", run, "--resume", "--most-picks", 8, *ALONE)
    return run


def test_a_run_cleans_its_picks_learns_from_them_and_picks_again(few, tmp_path, cryopick):
    out = tmp_path / "iterated"
    picks = int(pd.read_parquet(few / "table").picked.sum())
    many = picks // 8  # some have fewer than ten particles, and are junk for that
    told = ["iterate", few, "--out", out, "--rounds", 1, "--classes", many, *TRAINING, *ALONE, "--json"]
    status, printed, errors = cryopick(*told)
    assert status == 0, errors
    done = json.loads(printed)
    assert done == json.loads((out / "iterate.json").read_text())
    looked = done["rounds"][0]
    before, after = (pd.read_parquet(where) for where in (few / "table", out / "round-1" / "table"))
    assert looked["picks"] == before.picked.sum() == picks
    assert 0 < sum(looked["by_quality"].values()) <= looked["picks"]
    assert looked["kept"] == after.picked.sum() < looked["picks"]
    in_junk = after.unpicked.str.contains("bad class")
    assert in_junk.sum() == looked["by_quality"]["junk"]
    assert (out / "round-1" / "classes" / "classes.html").is_file()
    assert looked["taught"]
    assert (out / "round-1" / "run" / "summary.json").is_file()
    status, again, _ = cryopick(*told, "--resume")
    assert status == 0
    assert json.loads(again)["rounds"] == done["rounds"]
    assert cryopick(*told)[0] == 2
    at = told.index("steps=4")
    for changed, said in (
        ([*told[:at], "steps=5", *told[at + 1 :]], "steps=4"),
        ([*told, "--classes", many + 1], f"classes: {many} -> {many + 1}"),
    ):
        status, _, errors = cryopick(*changed, "--resume")
        assert status == 2
        assert said in errors


def test_an_iteration_does_not_go_on_with_picks_that_have_changed(few, tmp_path, cryopick):
    run, out = tmp_path / "run", tmp_path / "iterated"
    shutil.copytree(few, run)
    told = ["iterate", run, "--out", out, "--classes", 2, *ALONE]
    assert cryopick(*told)[0] == 0
    before = (out / "iterate.json").read_bytes()
    assert cryopick("run", "--out", run, "--resume", "--most-picks", 5, *ALONE)[0] == 0
    status, _, errors = cryopick(*told, "--resume")
    assert status == 2
    assert "have changed since" in errors
    assert "choose another --out" in " ".join(errors.split())
    assert cryopick("run", "--out", run, "--resume", "--most-picks", 8, *ALONE)[0] == 0
    assert cryopick(*told, "--resume")[0] == 0
    assert (out / "iterate.json").read_bytes() == before


def test_what_classes_took_from_a_run_before_does_not_come_back(few, tmp_path, cryopick):
    run = tmp_path / "run"
    shutil.copytree(few, run)
    before = pd.read_parquet(run / "table")
    rows = before[before.picked].iloc[::2]
    lines = [
        f"{itertuple.micrograph_id},{itertuple.x_px},{itertuple.y_px},1,doubtful\n"
        for itertuple in rows.itertuples()
    ]
    (tmp_path / "classes.csv").write_text("micrograph,x_px,y_px,class_number,quality\n" + "".join(lines))
    status, _, errors = cryopick(
        "run",
        "--out",
        run,
        "--resume",
        "--classes",
        tmp_path / "classes.csv",
        "--keep-classes",
        "good",
        *ALONE,
    )
    assert status == 0, errors
    left = pd.read_parquet(run / "table")
    assert left.picked.sum() == before.picked.sum() - len(rows)
    told = ["iterate", run, "--out", tmp_path / "it", "--rounds", 1, "--classes", 2, *TRAINING, *ALONE]
    status, _, errors = cryopick(*told)
    assert status == 0, errors
    after = pd.read_parquet(tmp_path / "it" / "round-1" / "table")
    assert not (after.picked & ~left.picked).any()


def test_where_nothing_is_junk_nothing_is_learned(few, tmp_path, cryopick):
    out = tmp_path / "iterated"
    status, printed, errors = cryopick("iterate", few, "--out", out, "--classes", 2, *ALONE, "--json")
    assert status == 0, errors
    done = json.loads(printed)
    assert done["rounds"][0]["kept"] == done["rounds"][0]["picks"]
    assert "teach its model nothing" in " ".join(done["notes"])
    assert not (out / "round-1" / "run").exists()
