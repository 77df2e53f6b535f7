import pandas as pd
import pytest
import starfile
import yaml
from micrograph_files import LOG, phantom, write_mrc
from small_learning import ALONE, PARTICLE_PX, succeed
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.settings.engine_settings import EngineSettings


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    """Twelve micrographs in two folders, some with equal base names, and their truth."""
    root = tmp_path_factory.mktemp("phantoms")
    for seed in range(12):
        made = phantom(seed)
        name = f"square{seed % 2}/{seed // 2:02d}"
        write_mrc(root / "micrographs" / f"{name}.mrc", made.pixels)
        path = root / "truth" / f"{name}.star"
        path.parent.mkdir(parents=True, exist_ok=True)
        starfile.write(pd.DataFrame({"rlnCoordinateX": made.x_px, "rlnCoordinateY": made.y_px}), path)
    return root


@pytest.fixture
def cryopick():
    """Run the command line in this process; return its exit status, output and error output."""

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture(scope="module")
def running_ray():
    """One private Ray for the runs of a file: starting it takes seconds."""
    with open_engine(EngineSettings(workers=2), threads=1):
        yield


@pytest.fixture(scope="session")
def serial_run(phantoms, tmp_path_factory):
    """The reference: one finished serial run of the blob detector over the phantoms."""
    out = tmp_path_factory.mktemp("serial") / "run"
    result = CliRunner().invoke(
        app,
        ["run", str(phantoms / "micrographs"), *map(str, LOG), "--out", str(out), "--engine", "serial"],
    )
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="session")
def training(phantoms, tmp_path_factory):
    """A small heatmap, taught for seconds at its own scale."""
    folder = tmp_path_factory.mktemp("taught")
    item = {"name": "phantoms", "micrographs": [str(phantoms / "micrographs")], "diameter_A": 150}
    settings = {"network": "heatmap", "data": [item | {"labels": str(phantoms / "truth")}]}
    (folder / "training.yaml").write_text(yaml.safe_dump(settings))
    small = [
        "--set",
        "options.base=4",
        "--set",
        "options.crop_px=96",
        "--set",
        "steps=20",
        "--set",
        "epochs=3",
    ]
    succeed("train", folder / "training.yaml", "--out", folder / "training", *small, *ALONE)
    return folder / "training"


@pytest.fixture(scope="session")
def first(training, phantoms, tmp_path_factory):
    """A run of that model at another scale than its own."""
    out = tmp_path_factory.mktemp("first") / "run"
    inputs = [phantoms / "micrographs" / "square0", "--diameter", 150, "--threads", 1]
    model = ["--model", training / "heatmap-phantoms.safetensors", "--particle-px", PARTICLE_PX]
    succeed("run", *inputs, *model, "--out", out, "--engine", "serial")
    return out
