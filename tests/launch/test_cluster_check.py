"""Rendered files are what Ray, KubeRay, the clouds and SLURM take, and broken ones are found out."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from cryopick_ray.errors import UsageError
from cryopick_ray.launch.check import check
from cryopick_ray.launch.cluster_settings import cluster_settings
from cryopick_ray.launch.render import render, template_folder, write
from cryopick_ray.settings.config import read_yaml


def rendered(config):
    return render(cluster_settings(config))


def test_every_kind_is_well(config):
    assert check(config["kind"], rendered(config)) == []


@pytest.mark.parametrize("change", [{"gpus_per_node": 0}, {"min_nodes": 3}, {"cpus_per_node": 64}])
def test_with_and_without_gpus_and_idle_nodes(configs, change):
    for kind in ("aws", "gcp", "kuberay"):
        files = rendered(configs[kind] | change)
        assert check(kind, files) == []
        if not change.get("gpus_per_node", 1):
            assert "nvidia" not in " ".join(files.values()).replace("{key: nvidia.com/gpu, operator", "")


def test_optional_keys_can_be_left_out(configs):
    for kind, optional in {
        "gcp": ["gpu_type"],
        "kuberay": ["node_selector", "volume_claim", "namespace"],
        "slurm": ["partition"],
    }.items():
        few = {key: value for key, value in configs[kind].items() if key not in optional}
        if kind == "kuberay":
            few["out"] = "s3://bucket/out"
        assert check(kind, rendered(few)) == []


@pytest.mark.parametrize(
    ("kind", "registry", "login"),
    [
        ("aws", "123456789012.dkr.ecr.eu-central-1.amazonaws.com", "aws ecr get-login-password"),
        ("gcp", "europe-west4-docker.pkg.dev", "gcloud auth configure-docker"),
    ],
)
def test_nodes_log_in_to_their_clouds_own_registry_alone(configs, kind, registry, login):
    for host, wanted in ((registry, True), ("registry.example.org", False)):
        files = rendered(configs[kind] | {"image": f"{host}/cryopick:1"})
        assert check(kind, files) == []
        (text,) = files.values()
        assert any(login in line for line in yaml.safe_load(text)["initialization_commands"]) == wanted


def test_the_example_is_well():
    example = Path(__file__).resolve().parents[2] / "examples" / "12_cluster.yaml"
    assert check("aws", rendered(read_yaml(example))) == []


def test_a_new_template_value_that_is_not_given_is_an_error(tmp_path, configs, monkeypatch):
    (tmp_path / "aws.yaml.j2").write_text("a: {{ forgotten }}\n")
    monkeypatch.setattr("cryopick_ray.launch.render.template_folder", lambda: tmp_path)
    with pytest.raises(Exception, match="forgotten"):
        rendered(configs["aws"])


def broken(text, change):
    """Return YAML with a change made to its mapping; ``change`` is PATH=VALUE, or -PATH to take away."""
    data = yaml.safe_load(text)
    path, _, value = change.removeprefix("-").partition("=")
    *parents, leaf = path.split("/")
    group = data
    for parent in parents:
        group = group[int(parent) if parent.isdigit() else parent]
    if change.startswith("-"):
        del group[leaf]
    else:
        group[leaf] = yaml.safe_load(value)
    return yaml.safe_dump(data)


LAUNCHER = [
    "max_worker=3",
    "-cluster_name",
    "-provider",
    "max_workers=many",
    "head_node_type=heart",
    "-available_node_types/head",
    "available_node_types/worker/min_workers=99",
    "available_node_types/worker/resource=1",
    "docker/images=x",
    "provider/type=azure",
]
NODES = {
    "aws": [
        "InstanceTyp=x",
        "-InstanceType",
        "ImageId=123",
        "IamInstanceProfile/Nam=x",
        "InstanceMarketOptions/MarketType=spott",
        "MetadataOptions/HttpTokens=optional",
    ],
    "gcp": [
        "machinetype=x",
        "-machineType",
        "disks/0/initializeParams/diskSize=9",
        "scheduling/provisioningModel=SPOTTY",
        "scheduling/automaticRestart=true",
        "guestAccelerators/0/acceleratorCount=one",
    ],
}


@pytest.mark.parametrize("kind", ["aws", "gcp"])
@pytest.mark.parametrize("change", LAUNCHER)
def test_a_broken_launcher_file_is_found_out(configs, kind, change):
    (text,) = rendered(configs[kind]).values()
    assert check(kind, {"cluster.yaml": broken(text, change)})


@pytest.mark.parametrize(("kind", "change"), [(kind, one) for kind, some in NODES.items() for one in some])
def test_a_typo_in_a_node_is_found_out(configs, kind, change):
    (text,) = rendered(configs[kind]).values()
    sign, path = ("-", change[1:]) if change.startswith("-") else ("", change)
    changed = broken(text, f"{sign}available_node_types/worker/node_config/{path}")
    (complaint,) = check(kind, {"cluster.yaml": changed})
    assert "worker.node_config" in complaint


def test_amazon_itself_knows_every_field_of_a_node(configs):
    botocore = pytest.importorskip("botocore.session", reason="boto3 is not installed")
    from botocore.validate import ParamValidator

    model = botocore.get_session().get_service_model("ec2").operation_model("RunInstances")
    (text,) = rendered(configs["aws"]).values()
    for node in yaml.safe_load(text)["available_node_types"].values():
        whole = node["node_config"] | {"MinCount": 1, "MaxCount": 1}
        assert not ParamValidator().validate(whole, model.input_shape).has_errors()
        typo = {"InstanceTypo": "x"} | whole
        assert ParamValidator().validate(typo, model.input_shape).has_errors()


CLUSTER = [
    "headGroupSpecs={}",
    "-headGroupSpec",
    "-workerGroupSpecs",
    "-authOptions",
    "authOptions/mode=disabled",
    "headGroupSpec/serviceType=LoadBalancer",
    "workerGroupSpecs/0/maxReplicas=three",
    "workerGroupSpecs/0/minReplicas=99",
    "workerGroupSpecs/0/template/spec/container=[]",
    "workerGroupSpecs/0/template/spec/containers=[]",
    "headGroupSpec/rayStartParams/num-cpus=0",
    "headGroupSpec/template/spec/securityContext/runAsNonRoot=false",
]


@pytest.mark.parametrize("change", CLUSTER)
def test_a_broken_manifest_is_found_out(configs, change):
    files = rendered(configs["kuberay"])
    path = change.removeprefix("-")
    sign = change[: len(change) - len(path)]
    assert check("kuberay", {"x": broken(files["raycluster.yaml"], f"{sign}spec/{path}")})
    assert check("kuberay", {"x": broken(files["rayjob.yaml"], f"{sign}spec/rayClusterSpec/{path}")})


@pytest.mark.parametrize(
    "change", ["kind=RayJobs", "apiVersion=ray.io/v2", "-spec/entrypoint", "spec/backofLimit=1"]
)
def test_a_broken_job_is_found_out(configs, change):
    assert check("kuberay", {"x": broken(rendered(configs["kuberay"])["rayjob.yaml"], change)})


SCRIPT = "#!/bin/bash\n#SBATCH --nodes=2\necho hello\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--nodes", "--node"),
        ("#SBATCH --nodes=2\necho hello", "echo hello\n#SBATCH --nodes=2"),
        ("echo hello", "if true; then"),
        ("#!/bin/bash", "# a script"),
        ("--nodes=2", "--nodes=2 --exclusive"),
    ],
)
def test_a_broken_script_is_found_out(old, new):
    assert check("slurm", {"job.sh": SCRIPT}) == []
    assert check("slurm", {"job.sh": SCRIPT.replace(old, new)})


def test_no_secret_and_no_open_port_is_rendered(config):
    text = "\n".join(rendered(config).values())
    assert "0.0.0.0" not in text
    if config["kind"] in ("aws", "gcp"):
        assert "--dashboard-host=127.0.0.1" in text
        assert text.count("RAY_AUTH_MODE=token ray start") == 2
        assert "RAY_AUTH_TOKEN=" not in text


def test_files_are_written_where_asked(tmp_path, config):
    files = rendered(config)
    for _ in range(2):
        write(files, tmp_path / "a" / "b")
    assert {path.name: path.read_text() for path in (tmp_path / "a" / "b").iterdir()} == files
    with pytest.raises(UsageError, match="`out`"):
        write(files, tmp_path / "a" / "b" / next(iter(files)))


def test_shell_scripts_are_sound(tmp_path, configs):
    (text,) = rendered(configs["slurm"]).values()
    (tmp_path / "job.sh").write_text(text)
    for script in (template_folder() / "leave.sh", tmp_path / "job.sh"):
        subprocess.run(["bash", "-n", script], check=True)


def test_all_of_the_folder_is_installed():
    root = template_folder().parent
    setup = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert setup["package-dir"]["cryopick_ray.cluster"] == "cluster"
    folder = root / "cluster"
    installed = {
        path for pattern in setup["package-data"]["cryopick_ray.cluster"] for path in folder.glob(pattern)
    }
    assert installed == {path for path in folder.rglob("*") if path.is_file()}
