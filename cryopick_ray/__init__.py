"""Find particles in cryo-EM micrographs with deep networks, from one laptop to a GPU cluster.

>>> from cryopick_ray import Settings, read_table, run
>>> summary = run(Settings(inputs=["Micrographs"], diameter_A=180), out="picks")  # doctest: +SKIP
>>> picked = read_table("picks").query("picked")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryopick_ray.runs.api import plan, resume, run, self_train
    from cryopick_ray.runs.compare_run import compare
    from cryopick_ray.runs.read_run import evaluate, export, read_table
    from cryopick_ray.runs.results import Summary
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.settings.run_settings import RunSettings as Settings

__version__ = "0.1.0"
DEFAULT_MODEL = "heatmap-general"
"""The model that picks unless another is given, and that estimates a diameter that nobody gives."""
FILAMENT_MODEL = "heatmap-filament"
"""The model that traces filaments unless another is given."""

_HOMES = {
    "run": "runs.api",
    "resume": "runs.api",
    "plan": "runs.api",
    "self_train": "runs.api",
    "compare": "runs.compare_run",
    "evaluate": "runs.read_run",
    "export": "runs.read_run",
    "read_table": "runs.read_run",
    "Settings": "settings.run_settings:RunSettings",
    "EngineSettings": "settings.engine_settings",
    "Summary": "runs.results",
}
"""Where what a program needs is defined: it is loaded when it is asked for, as torch and Ray take seconds."""
__all__ = [
    "EngineSettings",
    "Settings",
    "Summary",
    "compare",
    "evaluate",
    "export",
    "plan",
    "read_table",
    "resume",
    "run",
    "self_train",
]


def __getattr__(name: str) -> Any:
    """Load what a program needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, own = _HOMES[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), own or name)


def __dir__() -> list[str]:
    """Return what there is, loaded or not."""
    return sorted({*globals(), *__all__})
