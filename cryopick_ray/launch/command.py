"""The command that a cluster runs."""

from collections.abc import Iterator
from typing import Any

from cryopick_ray.config import option
from cryopick_ray.launch.settings import ClusterSettings

MOVIE_OPTIONS = ("gain", "gain_rot", "gain_flip", "dose_per_frame_e_A2", "binning")


def run_command(settings: ClusterSettings) -> list[str]:
    """Return ``cryopick run`` and its arguments; with ``--resume``, so that running it again goes on."""
    given = settings.run.model_dump(mode="json", exclude_unset=True, exclude={"inputs"})
    engine = {"workers": settings.elastic_workers, "device": "cuda" if settings.gpus_per_node else "cpu"}
    given["engine"] = {name: value for name, value in engine.items() if value} | given.get("engine", {})
    return [
        "cryopick",
        "run",
        f"--out={settings.out}",
        *_options(given),
        "--address=auto",
        "--resume",
        "--",
        *settings.run.inputs,
    ]


def _options(given: dict[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if name == "movies":
            yield from _movie_options(value)
        elif isinstance(value, dict):
            yield from _options({one: inner for one, inner in value.items() if one != "engine"})
        elif isinstance(value, bool):
            yield option(name) if value else option(name).replace("--", "--no-", 1)
        elif isinstance(value, list):
            yield f"{option(name)}={','.join(map(str, value))}"
        elif value is not None:
            yield f"{option(name)}={value}"


def _movie_options(given: dict[str, Any]) -> Iterator[str]:
    """Yield the options of movies; what has none of its own goes with ``--movie-set``."""
    yield from _options({name: value for name, value in given.items() if name in MOVIE_OPTIONS})
    for name, value in given.items():
        if name not in MOVIE_OPTIONS and value is not None:
            yield f"--movie-set={name}={str(value).lower() if isinstance(value, bool) else value}"
