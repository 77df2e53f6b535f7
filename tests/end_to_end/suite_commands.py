"""Suites for tests: settings, the command, and when its work was done."""

from pathlib import Path

import yaml
from typer.testing import CliRunner

from cli.main import app

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ALONE = ["--engine", "serial", "--device", "cpu"]
SMALL = {"height_px": 256, "width_px": 256, "scene": {"aggregates": 0}}


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def written(path, data):
    path.write_text(yaml.safe_dump(data))
    return path


def work(out):
    """Return when each micrograph was simulated, stored and picked."""
    files = [
        *out.glob("simulated/*/micrographs/*"),
        *out.glob("stores/**/*"),
        *out.glob("picks/**/*.parquet"),
    ]
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


def rows(outcome, **wanted):
    return [row for row in outcome["rows"] if all(row[name] == value for name, value in wanted.items())]
