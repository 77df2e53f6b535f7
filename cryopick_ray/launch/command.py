"""The command that a cluster runs."""

import json
from collections.abc import Iterator
from typing import Any

from cryopick_ray.launch.cluster_settings import ClusterSettings
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.leaves import called, leaves
from cryopick_ray.settings.run_settings import RunSettings


def run_command(settings: ClusterSettings) -> list[str]:
    """Return ``cryopick run`` and its arguments; with ``--resume``, so that running it again goes on."""
    device = "cuda" if settings.gpus_per_node else "cpu"
    engine: dict[str, Any] = {"workers": settings.elastic_workers, "device": device}
    engine |= settings.engine.model_dump(mode="json", exclude_unset=True)
    return [
        "cryopick",
        "run",
        f"--out={settings.out}",
        *_options(RunSettings, settings.run.model_dump(mode="json", exclude_unset=True, exclude={"inputs"})),
        *_options(EngineSettings, engine),
        "--address=auto",
        "--resume",
        "--",
        *settings.run.inputs,
    ]


def _options(kind: type[Settings], given: dict[str, Any]) -> Iterator[str]:
    """Yield the options of what is given; what has none of its own goes with ``--set``."""
    for name, field, _ in leaves(kind):
        value: Any = given
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            continue
        option = called(name, field)
        if not option:
            yield f"--set={name}={value if isinstance(value, str) else json.dumps(value)}"
        elif isinstance(value, bool):
            yield option if value else option.replace("--", "--no-", 1)
        elif isinstance(value, list) and all(isinstance(one, str) for one in value):
            yield from (f"{option}={one}" for one in value)
        else:
            yield f"{option}={','.join(map(str, value)) if isinstance(value, list) else value}"
