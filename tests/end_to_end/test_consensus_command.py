import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.errors import UsageError
from cryopick_ray.passes.votes import Vote
from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import open_table
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.consensus_run import agree

PICKERS = ("crYOLO", "topaz", "deepPicker")


def ask(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def table(
    folder,
    name,
    places,
    *,
    shape=(400, 600),
    dataset="set",
    micrograph="grid/a.mrc",
    size_A=2.0,
    across_A=100.0,
):
    x, y = np.float32(places).reshape(-1, 2).T
    about = PickedMicrograph(
        micrograph, dataset, micrograph, shape, size_A, None, "complete", "", picks=len(x)
    )
    score = np.linspace(1, 0.5, len(x), dtype=np.float32)
    write_table([MicrographPicks(about, x, y, score, none(len(x)), across_A, model=name)], folder / name)
    return folder / name


def test_published_picks_of_three_programs_go_in_and_out(real_data, tmp_path):
    micrographs = real_data / "betagal-10017"
    for name in PICKERS:
        boxes = real_data / "formats" / "repic-box" / name
        made = ask("convert", boxes, "--to", "cbox", "--binning", "0.5", "--out", tmp_path / name)
        assert made.exit_code == 0, made.output
    inputs = [tmp_path / name for name in PICKERS]
    given = ("--micrographs", micrographs, "--diameter", 190, "--pixel-size", 3.54, "--votes", 2, "--json")
    done = ask("consensus", *inputs, "--out", tmp_path / "agreed", *given)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    frame = pd.read_parquet(tmp_path / "agreed" / "table")
    assert said["picks"] == frame.picked.sum() == (frame.votes >= 2).sum()
    assert sum(one["picks"] for one in said["pickers"].values()) == frame.votes.sum()
    assert (tmp_path / "agreed" / "consensus.html").read_text().count("<table") == 2
    out = ask("export", tmp_path / "agreed", "--format", "star", "--out", tmp_path / "star")
    assert out.exit_code == 0, out.output
    again = ask(
        "consensus", tmp_path / "agreed", tmp_path / "star" / "star", "--out", tmp_path / "b", "--votes", 2
    )
    assert again.exit_code == 0, again.output
    assert (
        open_table(tmp_path / "b").micrographs[0].picks
        == open_table(tmp_path / "agreed").micrographs[0].picks
    )


def test_a_consensus_teaches_exports_and_is_evaluated_like_any_table(tmp_path):
    a = table(tmp_path, "a", [(50, 60), (200, 210), (400, 300)])
    b = table(tmp_path, "b", [(52, 61), (199, 212)])
    outcome = agree([str(a), str(b)], tmp_path / "agreed", Vote(2))
    assert outcome.voted.picks == 2
    scored = ask("evaluate", tmp_path / "agreed", "--truth", a, "--json")
    assert scored.exit_code == 0, scored.output
    found = json.loads(scored.stdout)
    assert found["pooled"]["recall"] == pytest.approx(2 / 3)
    assert any(
        "1 candidates are left out whatever their score (too few votes)" in one for one in found["notes"]
    )


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["a"], "alone"),
        (["a", "x/a"], "are called 'a'"),
        (["a", "other"], "none of the micrographs of the others"),
    ],
)
def test_inputs_that_cannot_vote_are_refused_with_a_remedy(tmp_path, inputs, said):
    table(tmp_path, "a", [(50, 60)])
    table(tmp_path / "x", "a", [(50, 60)])
    table(tmp_path, "other", [(50, 60)], micrograph="grid/b.mrc")
    with pytest.raises(UsageError, match=said):
        agree([str(tmp_path / one) for one in inputs], tmp_path / "out", Vote(1))


def test_names_and_folders_of_micrographs_may_differ(tmp_path):
    a = table(tmp_path, "a", [(50, 60)])
    b = table(tmp_path, "b", [(50, 61)], micrograph="elsewhere/grid/a.tif")
    outcome = agree([str(a), f"second={b}"], tmp_path / "out", Vote(2))
    assert (outcome.voted.micrographs, outcome.voted.picks) == (1, 1)
    assert set(outcome.agreement.places) == {"a", "second"}


def test_what_inputs_say_differently_of_a_micrograph_is_told(tmp_path):
    a = table(tmp_path, "a", [(50, 60)])
    b = table(tmp_path, "b", [(50, 61)], size_A=4.0, across_A=200.0)
    said = " ".join(agree([str(a), str(b)], tmp_path / "out", Vote(2)).notes)
    assert "pixel sizes of 1 micrographs in b differ" in said
    assert "b has 200 A; 100 A is used" in said


def test_picks_in_a_binned_image_are_no_votes(tmp_path):
    a, b = table(tmp_path, "a", [(50, 60)]), table(tmp_path, "b", [(25, 30)], shape=(200, 300))
    with pytest.raises(UsageError, match=r"300 x 200 pixels, others with 600 x 400"):
        agree([str(a), str(b)], tmp_path / "out", Vote(2))


def test_a_consensus_writes_over_no_run_and_no_input(tmp_path):
    a, b = table(tmp_path, "a", [(50, 60)]), table(tmp_path / "run", "table", [(50, 61)])
    before = (b / "_micrographs.parquet").read_bytes()
    with pytest.raises(UsageError, match="is that of the input"):
        agree([str(a), f"b={b.parent}"], b.parent, Vote(2))
    (b.parent / "config.yaml").write_text("")
    with pytest.raises(UsageError, match="holds a run"):
        agree([str(a), f"a2={a}"], b.parent, Vote(2))
    assert (b / "_micrographs.parquet").read_bytes() == before
