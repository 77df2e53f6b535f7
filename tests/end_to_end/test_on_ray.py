"""A run on Ray, and examples of training that begin in one process and end on Ray Train: the real command."""

import json
import shutil

import pytest
import yaml
from micrograph_files import LOG, table_bytes
from small_examples import EXAMPLES, QUICK, all_small
from small_learning import ALONE

# Ray Train makes settings of Ray Data, which warn of their own fields; nobody else gets to see it.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")

ON_RAY = ["--workers", 2, "--threads", 1, "--resume"]


def test_two_workers_of_ray_give_the_same_table_byte_for_byte(
    running_ray, serial_run, phantoms, cryopick, tmp_path
):
    out = tmp_path / "run"
    inputs = phantoms / "micrographs"
    status, _, _ = cryopick("run", inputs, *LOG, "--out", out, "--workers", 2)
    assert status == 0
    assert table_bytes(out) == table_bytes(serial_run)


def last_line(log):
    return log.read_text().splitlines()[-1]


def test_the_general_recipe_runs_on_ray_train(running_ray, tmp_path, cryopick):
    words = [word for setting in (*QUICK, *all_small("09_general.yaml")) for word in ("--set", setting)]
    command = ["train", EXAMPLES / "09_general.yaml", "--out", tmp_path / "out", *words]
    status, _, errors = cryopick(*command, *ALONE)
    assert status == 0, errors
    model = tmp_path / "out" / "heatmap-general.safetensors"
    log = tmp_path / "out" / "checkpoints" / "log.csv"
    model.unlink()
    status, _, errors = cryopick(*command, *ON_RAY, "--set", "epochs=2")
    assert status == 0, errors
    assert model.is_file()
    assert last_line(log).startswith("2,")
    assert last_line(log).endswith(",2")  # both workers
    assert sorted(path.name for path in log.parent.iterdir()) == ["checkpoint.pt", "log.csv"]


def test_the_study_runs_on_ray_train(running_ray, tmp_path, cryopick):
    """One of its networks."""
    data = yaml.safe_load((EXAMPLES / "14_families.yaml").read_text())
    sides = {"height_px": 384, "width_px": 384, "scene": {"packing": 0.1, "aggregates": 0}}
    sides |= {"contamination": {"carbon": {"probability": 0}}}
    few = [
        group | {"molecules": ["rubisco", "ring"], "micrographs": 1, "settings": group["settings"] | sides}
        for group in data["simulated"]
    ]
    topaz = data["networks"]["topaz"] | {"epochs": 1, "steps": 1, "batch": 8}
    networks = {"topaz": topaz | {"options": topaz["options"] | {"units": 4}}}
    file, out = tmp_path / "study.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump(data | {"simulated": few, "networks": networks, "validation_share": 0}))
    status, alone, errors = cryopick("train", file, "--out", out, *ALONE, "--json")
    assert status == 0, errors
    shutil.rmtree(out / "topaz" / "without-rings")
    status, both, errors = cryopick("train", file, "--out", out, *ON_RAY, "--json")
    assert status == 0, errors
    for printed in (alone, both):
        parts = [(row["network"], row["left_out"]) for row in json.loads(printed)["rows"]]
        assert parts == [("topaz", "globular"), ("topaz", "rings")]
    log = out / "topaz" / "without-rings" / "checkpoints" / "log.csv"
    assert last_line(log).endswith(",2")  # both workers
