"""``cryopick bench`` as a person meets it."""

import json

import pytest
import torch
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.bench import machine
from cryopick_ray.bench.synthetic import write_synthetic
from cryopick_ray.pickers.families import build_network
from cryopick_ray.pickers.topaz.picker import NORMALISATION
from cryopick_ray.pickers.weights import ModelCard, save_model, weights_digest

INGEST = ["read", "crop", "decode", "checksum", "normalise", "look", "write"]
NETWORK = ["store read", "copy", "normalise and decode", "network", "peaks", "parquet"]
SMALL = ["--size", "512", "--diameter", "80", "--repeats", "2"]


@pytest.fixture(autouse=True)
def small_machine(monkeypatch):
    monkeypatch.setattr(machine, "COPIED_FLOATS", 2**20)
    monkeypatch.setattr(machine, "SECONDS", 0.01)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    card = ModelCard(
        name="tiny",
        architecture="topaz-conv3",
        parameters={"units": 2},
        particle_px=20,
        normalisation=NORMALISATION,
        trained_on="nothing",
        licence="CC0-1.0",
        source="a test",
        digest=64 * "0",
    )
    torch.manual_seed(0)
    state = build_network(card).state_dict()
    save_model(path, state, card.model_copy(update={"digest": weights_digest(state)}))
    return path


def call(*arguments):
    result = CliRunner().invoke(app, ["bench", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def measured(*arguments):
    status, text, errors = call(*SMALL, "--json", *arguments)
    assert status == 0, errors
    return json.loads(text)


def test_every_stage_of_every_picker_is_there_with_its_share(model):
    outcome = measured("--model", "log", "--model", model, "--sizes", "512,768", "--batches", "1,2")
    log, tiny = outcome["models"]
    assert [stage["name"] for stage in log["stages"]] == [*INGEST, "store read", "copy", "pick", "parquet"]
    assert [stage["name"] for stage in tiny["stages"]] == [*INGEST, *NETWORK]
    assert (tiny["name"], tiny["source_shape"], tiny["working_shape"]) == ("tiny", [512, 512], [128, 128])
    for record in (log, tiny):
        limits = {**record["limits"]["bytes_per_s"], "convolution": record["limits"]["flops_per_s"]}
        for stage in record["stages"]:
            assert 0 < stage["busy_seconds"] <= stage["least_seconds"] <= stage["seconds"]
            if stage["bound"]:
                achieved = stage["flops_per_s" if stage["bound"] == "convolution" else "bytes_per_s"]
                assert stage["share"] == pytest.approx(achieved / limits[stage["bound"]])
        assert all(stage["bound"] for stage in record["stages"])
    network = tiny["stages"][[*INGEST, *NETWORK].index("network")]
    assert network["flops"] > 0
    assert network["bound"] == "convolution"
    assert [record["batch"] for record in tiny["batches"]] == [1, 2]
    assert log["batches"] == []
    assert [(record["name"], record["size"]) for record in outcome["sizes"]] == [
        (name, size) for size in (512, 768) for name in ("log", "tiny")
    ]


def test_exact_and_precision_reach_the_picker(model):
    (exact,) = measured("--model", model, "--exact")["models"]
    (fast,) = measured("--model", model, "--dtype", "bfloat16")["models"]
    assert (exact["settings"]["scoring"], exact["precision"]) == ("exact", "float32")
    assert (fast["settings"]["scoring"], fast["precision"]) == ("fast", "bfloat16")


def test_a_store_of_its_own_pixel_size_is_resized(model):
    (record,) = measured("--model", model, "--store-pixel-size", "2")["models"]
    assert (record["stored_shape"], record["working_shape"]) == ([256, 256], [128, 128])
    assert "resize" in [stage["name"] for stage in record["stages"]]


def test_a_table_is_aligned_and_a_file_can_be_measured(tmp_path):
    path = tmp_path / "one.mrc"
    write_synthetic(path, 300, pixel_size_A=2.0, diameter_A=100.0)
    status, text, errors = call("--input", path, "--diameter", "100", "--repeats", "1", "--model", "log")
    assert status == 0
    assert "stage by stage" in errors
    head, _, columns, *lines = text.split("\n\n")[0].splitlines()
    assert "300 x 300" in head
    assert [line[: len("store read")].rstrip() for line in lines] == [
        *INGEST,
        "store read",
        "copy",
        "pick",
        "parquet",
        "all",
    ]
    assert {len(line) for line in lines[:-1]} == {len(columns)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "3"], "--size is 3"),
        (["--sizes", "1024,big"], "--sizes is 'big'"),
        (["--repeats", "0"], "--repeats is 0"),
        (["--threads", "0"], "--threads is 0"),
        (["--diameter", "-1"], "--diameter is -1"),
        (["--model", "nothing"], "no model 'nothing'"),
        (["--model", "log", "--batches", "2"], "--batches are for networks"),
        (["--size", "128"], "no room for particles of 130 pixels"),
        (["--input", "none.mrc"], "none.mrc"),
        (["--input", "none.mrc", "--size", "512"], "leave them out with --input"),
    ],
)
def test_a_wrong_option_is_named_in_one_line(arguments, words):
    status, text, errors = call(*arguments)
    assert (status, text) == (2, "")
    assert words in errors
    assert len([line for line in errors.splitlines() if "error" in line]) == 1


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "broken.mrc"
    path.write_bytes(b"nothing")
    status, _, errors = call("--input", path, "--pixel-size", "1")
    assert status == 1
    assert "broken.mrc: " in errors
