"""Every example runs, in order, as its text says."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from small_examples import EXAMPLES, QUICK, all_small, few_small

from cryopick_ray.settings.config import read_yaml


@pytest.fixture
def python(programs):
    """Run a script; return what it prints."""

    def run(*arguments, cwd):
        return subprocess.run(
            [programs / "python", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=True
        ).stdout

    return run


def test_micrographs_are_simulated_run_from_the_config_and_read_from_the_table(
    tmp_path, cryopick, python, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    few = ["--micrographs", 3, "--engine", "serial"]
    assert cryopick("simulate", "--config", EXAMPLES / "01_simulate.yaml", "--out", "demo", *few)[0] == 0
    status, output, _ = cryopick("run", "--config", EXAMPLES / "run.yaml", "--out", "run", *few[-2:])
    assert status == 0
    assert "report.html" in output
    status, output, _ = cryopick("evaluate", "run", "--truth", "demo/truth")
    assert status == 0
    assert float(output.splitlines()[-1].split()[5]) > 0.6
    drawn = python(EXAMPLES / "03_draw_picks.py", "run", "picks.png", cwd=tmp_path)
    assert " picks of simulated_" in drawn
    assert (tmp_path / "picks.png").read_bytes().startswith(b"\x89PNG")
    table = python(EXAMPLES / "02_read_the_table.py", "run", cwd=tmp_path)
    assert all(f"simulated_{seed:06d}.mrc" in table for seed in range(3))


def test_simulations_are_compared_with_the_real_thing(tmp_path, python, real_data):
    script, kinds = EXAMPLES / "04_compare_with_real.py", EXAMPLES / "04_kinds.yaml"
    few = read_yaml(kinds)
    for kind in few["kinds"]:
        kind |= {"micrographs": 1}
    shutil.copy(EXAMPLES / "apoferritin.yaml", tmp_path)
    (tmp_path / "kinds.yaml").write_text(yaml.safe_dump(few))
    out = tmp_path / "likeness"
    python(script, tmp_path / "kinds.yaml", out, "apoferritin", "frames of apoferritin", cwd=real_data)
    assert (out / "likeness.png").read_bytes().startswith(b"\x89PNG")
    whole, frames = json.loads((out / "likeness.json").read_text())
    assert 0 < whole["spectral_distance"] < 0.3
    for side in ("simulated", "real"):
        assert frames[side]["snr"] < whole[side]["snr"]
        assert frames[side]["score_quantiles"] < whole[side]["score_quantiles"]
    assert whole["real"]["found"] > 0.95
    assert len((out / "likeness.md").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("name", "smaller", "models"),
    [
        ("06_train.yaml", [], 1),
        ("07_four_folds.yaml", ['data.0.exclude=["*15_*", "*16_51*"]', "folds=2"], 2),
        (
            "08_across_molecules.yaml",
            [*few_small(0), "simulated.0.molecules=[rubisco,ring]", "validation_share=0"],
            1,
        ),
        ("11_general_real.yaml", [*all_small("11_general_real.yaml"), "options.base=24"], 1),
    ],
)
def test_trainings_run_from_their_configs(tmp_path, cryopick, real_data, monkeypatch, name, smaller, models):
    monkeypatch.chdir(real_data)
    words = [word for setting in (*QUICK, *smaller) for word in ("--set", setting)]
    alone = ["--engine", "serial", "--threads", 1, "--json"]
    status, output, errors = cryopick("train", EXAMPLES / name, "--out", tmp_path / "out", *words, *alone)
    assert status == 0, errors
    outcome = json.loads(output)
    assert len(outcome["models"]) == models
    assert all(Path(path).is_file() for path in outcome["models"])
