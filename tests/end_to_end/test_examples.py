"""Every example runs, in order, as its text says."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def python(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=True
    ).stdout


def test_phantoms_are_made_run_from_the_config_and_read_from_the_table(tmp_path, cryopick, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "3 micrographs" in python(EXAMPLES / "01_make_phantoms.py", "demo", "3", cwd=tmp_path)
    status, output, _ = cryopick("run", "--config", EXAMPLES / "run.yaml", "--out", "run")
    assert status == 0
    assert "report.html" in output
    status, output, _ = cryopick("evaluate", "run", "--truth", "demo/truth")
    assert status == 0
    assert float(output.splitlines()[-1].split()[5]) > 0.9
    table = python(EXAMPLES / "02_read_the_table.py", "run", cwd=tmp_path)
    assert all(f"phantom_{seed:03d}.mrc" in table for seed in range(3))
