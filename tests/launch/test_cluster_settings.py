"""What a cluster is told: few keys, and nothing that could become something else in YAML or a shell."""

import shlex

import pytest
import typer.main
import yaml
from cluster_configs import CONFIGS
from hypothesis import given
from hypothesis import strategies as st

from cli.main import app
from cryopick_ray.errors import UsageError
from cryopick_ray.launch.cluster_settings import cluster_settings
from cryopick_ray.launch.command import run_command
from cryopick_ray.launch.render import render, yaml_scalar
from cryopick_ray.settings.config import fill, load_settings
from cryopick_ray.settings.engine_settings import EngineSettings


def changed(config, **values):
    return cluster_settings(config | values)


def test_an_unknown_key_is_refused(config):
    with pytest.raises(UsageError, match="colour is not a setting"):
        changed(config, colour="red")
    with pytest.raises(UsageError, match=r"run\.diameter is not a setting"):
        changed(config, run=config["run"] | {"diameter": 150})


@pytest.mark.parametrize("missing", ["name", "out", "run"])
def test_a_missing_key_is_named(config, missing):
    del config[missing]
    with pytest.raises(UsageError, match=f"{missing} is missing"):
        cluster_settings(config)


@pytest.mark.parametrize("kind", [None, "azure", ["aws"]])
def test_an_unknown_kind_is_refused_with_those_known(kind):
    with pytest.raises(UsageError, match="aws, gcp, kuberay, slurm"):
        cluster_settings({"kind": kind})


HOSTILE = [
    "x\ny",
    "x\n",
    "$(id)",
    "`id`",
    'x" y',
    "x'y",
    "x;y",
    "x y",
    "x: y",
    "-x",
    "x#",
    "x%j",
    "{x}",
    "é",
    "",
]
BARE = {
    "aws": ["name", "region", "instance_type", "head_instance_type", "image_id", "image", "worker_profile"],
    "gcp": ["name", "project", "zone", "machine_type", "gpu_type", "source_image", "worker_account", "image"],
    "kuberay": ["name", "namespace", "token_secret", "service_account", "volume_claim", "image"],
    "slurm": ["name", "partition", "account", "gpu_type", "time_limit", "shared_dir"],
}


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in BARE.items() for key in keys])
def test_names_hold_nothing_but_letters_digits_and_what_their_owner_allows(configs, kind, key):
    for text in HOSTILE:
        with pytest.raises(UsageError, match=key):
            changed(configs[kind], **{key: text})


@pytest.mark.parametrize("labels", [{"a b": "x"}, {"a": "x\ny"}, {'a": "': "x"}, {"a": '"'}, {"": "x"}])
def test_labels_are_those_of_kubernetes(configs, labels):
    with pytest.raises(UsageError, match="node_selector"):
        changed(configs["kuberay"], node_selector=labels)


@pytest.mark.parametrize("out", ["out", "s3://", "s3://b\n/x", "ftp://bucket/x", "s3://UP/x", "~/x", ""])
def test_a_place_that_not_every_node_sees_is_refused(config, out):
    with pytest.raises(UsageError, match="out"):
        changed(config, out=out)


def test_an_archives_files_need_a_folder_that_all_nodes_see(configs):
    with pytest.raises(UsageError, match="out is a bucket"):
        changed(configs["aws"], run={"inputs": ["empiar:10017"]})
    assert changed(configs["slurm"], run={"inputs": ["empiar:10017"]}).run.inputs == ("empiar:10017",)


def test_a_cloud_keeps_to_its_own_buckets(configs):
    with pytest.raises(UsageError, match="s3://"):
        changed(configs["aws"], out="/data/out")
    with pytest.raises(UsageError, match="gs://"):
        changed(configs["gcp"], out="s3://bucket/out")


@pytest.mark.parametrize(
    "run",
    [
        {"inputs": ["micrographs"]},
        {"inputs": ["/a\nb"]},
        {"inputs": []},
        {"model": "mine.safetensors"},
        {"model": "lo\ng"},
        {"relion_project": "project"},
        {"engine": {"workers": 2}},
        {"diameter_A": -1},
    ],
)
def test_a_run_that_a_node_could_not_do_is_refused(config, run):
    with pytest.raises(UsageError):
        changed(config, run=config["run"] | run)


def test_fewest_nodes_are_not_above_most(configs):
    with pytest.raises(UsageError, match="min_nodes 5 is above max_nodes 3"):
        changed(configs["aws"], min_nodes=5)


def parsed(command):
    """Return what the command line itself makes of the arguments of ``cryopick run``."""
    run = typer.main.get_command(app).commands["run"]
    return run.arguments(run.make_context("run", command[2:], resilient_parsing=False).params)


EVERYTHING = {
    "inputs": ["/data/a b", "/-odd", "s3://bucket/it's", "/data/$(id)"],
    "diameter_A": 151.5,
    "model": "/models/my model.safetensors",
    "pixel_size_A": 1.25,
    "store_pixel_size_A": 2.5,
    "particle_px": 24,
    "invert": "yes",
    "threshold": -0.5,
    "limit": 7,
    "threads": 2,
    "exact": False,
    "dtype": "float32",
    "relion_project": "/data/project",
    "movies": {"gain": "/data/gain.mrc", "dose_per_frame_e_A2": 1.5, "eer_grouping": 30, "align": False},
    "optics": {"voltage_kV": 200.0, "spherical_aberration_mm": 0.01, "amplitude_contrast": 0.07},
    "pattern": "*_DW.mrc",
    "exclude": ["bad*", "a,b c.mrc"],
}
ENGINE = {"workers": [2, 5], "device": "cuda", "gpus_per_worker": 0.5}


def test_the_command_says_to_cryopick_run_what_the_settings_say(configs):
    settings = changed(configs["aws"], run=EVERYTHING, engine=ENGINE)
    command = run_command(settings)
    assert command[:2] == ["cryopick", "run"]
    told = parsed(command)
    assert load_settings(told["settings"]) == settings.run
    assert fill(EngineSettings, **told["engine"]) == settings.engine.model_copy(update={"address": "auto"})
    assert (told["out"], told["resume"]) == ("s3://bucket/out", True)


def test_what_is_not_said_is_left_to_cryopick_run(config):
    config["run"] = {"inputs": ["/data"]}
    told = parsed(run_command(cluster_settings(config)))
    assert told["settings"] == {"inputs": ["/data"]}
    assert told["engine"].keys() <= {"workers", "device", "address"}


def test_a_growing_cluster_is_asked_for_all_it_can_become(configs):
    assert "--workers=3" in run_command(cluster_settings(configs["aws"]))
    half = configs["aws"] | {"engine": {"gpus_per_worker": 0.5}}
    assert "--workers=6" in run_command(cluster_settings(half))
    processors = configs["aws"] | {"gpus_per_node": 0, "cpus_per_node": 8}
    assert {"--workers=24", "--device=cpu"} <= set(run_command(cluster_settings(processors)))
    assert not any(word.startswith("--workers") for word in run_command(cluster_settings(configs["slurm"])))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(text=TEXT)
def test_text_in_yaml_comes_back_as_it_was(text):
    assert yaml.safe_load(f"a: {yaml_scalar(text)}\nb: 1") == {"a": text, "b": 1}


NASTY = st.lists(
    st.sampled_from(
        ["'", '"', "$(touch x)", "`x`", "\\", ";", "|", "&", "{{ x }}", "{% x %}", "#", ": ", "é", " "]
    ),
    max_size=6,
).map("".join)


@given(text=NASTY, kind=st.sampled_from(sorted(CONFIGS)))
def test_a_hostile_input_arrives_as_the_one_argument_it_is(text, kind):
    config = CONFIGS[kind]
    out = config["out"] + "/" + text
    settings = cluster_settings(
        config | {"out": out, "run": config["run"] | {"inputs": ["/data/" + text, "/other"]}}
    )
    command = run_command(settings)
    assert command[-3:] == ["--", "/data/" + text, "/other"]
    for name, rendered in render(settings).items():
        if name == "rayjob.yaml":
            entrypoint = yaml.safe_load(rendered)["spec"]["entrypoint"]
            assert shlex.split(entrypoint)[: len(command)] == command
        elif name.endswith(".yaml"):
            assert "/other" not in rendered  # the launcher's files know nothing of the run
        else:
            line = next(line for line in rendered.splitlines() if line.strip().startswith("cryopick run"))
            assert shlex.split(line)[: len(command)] == command
