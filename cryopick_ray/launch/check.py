"""Checks rendered files against the schemas of Ray, KubeRay and SLURM, offline."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import UnknownType
from referencing import Registry
from referencing.exceptions import Unresolvable

from cryopick_ray.errors import UsageError
from cryopick_ray.launch.ray_launcher import launcher_complaint
from cryopick_ray.launch.render import template_folder
from cryopick_ray.plain_data import parse_documents, parse_yaml

SBATCH_OPTIONS = {
    "account", "cpus-per-task", "dependency", "error", "exclusive", "gres", "job-name", "mem", "no-kill",
    "nodes", "ntasks-per-node", "open-mode", "output", "partition", "requeue", "signal", "time",
}  # fmt: skip
"""Of sbatch, those that a job of ours may want."""
CRD_BYTES = 64 * 2**20


def check(kind: str, files: dict[str, str], crds: Path | None = None) -> list[str]:
    """Return what is wrong with the rendered ``files`` of a cluster of that kind.

    Parameters
    ----------
    crds
        Custom resource definitions of a Kubernetes cluster, against which manifests are checked too.

    Raises
    ------
    UsageError
        If ``crds`` cannot be read, or ``kind`` has none.
    """
    if crds is not None and kind != "kuberay":
        raise UsageError(f"`crd` goes with kind kuberay, not {kind}; leave it out")
    schemas = read_crds(crds) if crds else {}
    found: list[str] = []
    for name, text in files.items():
        if kind == "slurm":
            complaints = _script(text)
        elif kind == "kuberay":
            complaints = _manifest(text, schemas)
        else:
            complaints = _launcher(text, kind)
        found += [f"{name}: {complaint}" for complaint in complaints]
    return found


def read_crds(path: Path) -> dict[str, Any]:
    """Return the schema of each kind in a file of custom resource definitions, unknown fields refused.

    Raises
    ------
    UsageError
        If the file holds none, or is too large.
    """
    if path.is_file() and path.stat().st_size > CRD_BYTES:
        raise UsageError(f"{path} is larger than {CRD_BYTES >> 20} MiB; expected what kubectl get crd prints")
    try:
        documents = parse_documents(path.read_text())
        listed = [item for document in documents if document for item in document.get("items", [document])]
        schemas = {
            item["spec"]["names"]["kind"]: version["schema"]["openAPIV3Schema"]
            for item in listed
            for version in item["spec"]["versions"]
            if version["name"] == "v1"
        }
        for schema in schemas.values():
            _close(schema)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} holds no custom resource definitions that can be used") from error
    if not schemas:
        raise UsageError(f"{path} holds no custom resource definitions of v1")
    return schemas


def _close(schema: Any) -> None:
    """Refuse fields that a schema does not name, at any depth, as the API server does when asked strictly."""
    if not isinstance(schema, dict):
        return
    if schema.pop("x-kubernetes-int-or-string", False):
        schema["type"] = ["integer", "string"]
        schema.pop("anyOf", None)
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    for inner in schema.get("properties", {}).values():
        _close(inner)
    for key in ("items", "additionalProperties"):
        _close(schema.get(key))


def _manifest(text: str, crds: dict[str, Any]) -> Iterator[str]:
    manifest = parse_yaml(text)
    found = list(_against(_schema("kuberay"), manifest))
    yield from found
    if crds:
        kind = manifest.get("kind")
        if kind not in crds:
            yield f"no definition of {kind} among those of `crd` ({', '.join(sorted(crds))})"
        else:
            try:
                yield from _against(crds[kind], manifest)
            except (Unresolvable, UnknownType, TypeError, ValueError, AttributeError) as error:
                raise UsageError(f"the definition of {kind} in the file of `crd` is no schema") from error
    if not found:
        spec = manifest["spec"]
        for group in spec.get("rayClusterSpec", spec)["workerGroupSpecs"]:
            if group["minReplicas"] > group["maxReplicas"]:
                yield f"worker group {group['groupName']}: minReplicas above maxReplicas"


def _launcher(text: str, kind: str) -> Iterator[str]:
    config = parse_yaml(text)
    complaint = launcher_complaint(config)
    if complaint:
        yield complaint
        return
    if "cluster_name" not in config:
        yield "cluster_name is missing"  # Ray would call the cluster default
    if config["provider"].get("type") != kind:
        yield f"provider.type is {config['provider'].get('type')!r}; expected {kind}"
    if config.get("head_node_type") not in config.get("available_node_types", {}):
        yield "head_node_type names none of available_node_types"
    for name, node in config.get("available_node_types", {}).items():
        for item in _against(_schema(f"{kind}_node"), node["node_config"]):
            yield f"available_node_types.{name}.node_config: {item}"


def _script(text: str) -> Iterator[str]:
    parsed = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    if parsed.returncode:
        yield parsed.stderr.strip()
    lines = text.splitlines()
    if not lines or not lines[0].startswith("#!"):
        yield "the first line names no shell (#!)"
    begun = False
    for line in lines:
        directive = re.match(r"#SBATCH\s+--([a-z-]+)(=\S+)?(\s+#.*)?$", line)
        if not line.startswith("#SBATCH"):
            begun = begun or bool(line.strip() and not line.startswith("#"))
        elif begun:
            yield f"sbatch does not see {line!r}: it stands below a command"
        elif directive is None or directive[1] not in SBATCH_OPTIONS:
            yield f"{line!r} is no option of sbatch that a run wants"


def _schema(name: str) -> Any:
    return json.loads((template_folder() / "schemas" / f"{name}.json").read_text())


def _against(schema: Any, value: Any) -> Iterator[str]:
    for error in Draft202012Validator(schema, registry=Registry()).iter_errors(value):  # fetches nothing
        yield f"{error.json_path.removeprefix('$').removeprefix('.') or 'all of it'}: {error.message[:300]}"
