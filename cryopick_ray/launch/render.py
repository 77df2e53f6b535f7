"""Templates of ``cluster/`` filled with settings."""

import importlib.metadata
import shlex
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined

import cryopick_ray
from cryopick_ray.errors import UsageError
from cryopick_ray.launch.cluster_settings import ClusterSettings
from cryopick_ray.launch.command import run_command
from cryopick_ray.store.publish import write_whole

FILES = {
    "aws": {"cluster.yaml": "aws.yaml.j2"},
    "gcp": {"cluster.yaml": "gcp.yaml.j2"},
    "kuberay": {"rayjob.yaml": "rayjob.yaml.j2", "raycluster.yaml": "raycluster.yaml.j2"},
    "slurm": {"job.sh": "slurm.sh.j2"},
}


def template_folder() -> Path:
    """Return the folder ``cluster`` of the installed package, or of the sources."""
    package = Path(cryopick_ray.__file__).parent
    installed = package / "cluster"
    return installed if installed.is_dir() else package.parent / "cluster"


def render(settings: ClusterSettings) -> dict[str, str]:
    """Return the files of a cluster by name.

    Text goes into YAML as double-quoted scalars, all of it, without the templates' doing; in shell
    scripts they quote it by the filter ``sh``.
    """
    values: dict[str, Any] = dict(settings)
    values["command"] = run_command(settings)
    values["ray_version"] = importlib.metadata.version("ray")
    files = {}
    for name, template in FILES[settings.kind].items():
        environment = Environment(
            loader=FileSystemLoader(template_folder()),
            undefined=StrictUndefined,
            finalize=yaml_scalar if name.endswith(".yaml") else None,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
        )
        environment.filters["sh"] = shlex.quote
        files[name] = environment.get_template(template).render(values)
    return files


def write(files: dict[str, str], out: Path) -> None:
    """Write rendered files into a folder.

    Raises
    ------
    UsageError
        If ``out`` is no folder.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder; choose another `out`")
    for name, text in files.items():
        write_whole(out / name, text)


def yaml_scalar(value: Any) -> Any:
    """Return text as a double-quoted YAML scalar on one line; numbers as they are."""
    if isinstance(value, str):
        return yaml.dump(value, default_style='"', width=float("inf")).rstrip("\n")
    if isinstance(value, Undefined) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value  # jinja2 says by itself which name is undefined
    raise TypeError(f"{value!r} is neither text nor a number")
