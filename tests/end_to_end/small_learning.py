"""Trainings of seconds, through the real command."""

from typer.testing import CliRunner

from cli.main import app

ALONE = ["--engine", "serial", "--threads", 1]
SMALL = ["--set", "options.crop_px=64", "--set", "steps=4", "--set", "epochs=1", "--rounds", 1]
SELF = ["--teacher", "self", "--set", "simulated_share=0"]
PARTICLE_PX = 16.0


def succeed(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
