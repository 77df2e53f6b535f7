"""Examples of training, made small."""

from pathlib import Path

from cryopick_ray.settings.config import read_yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
QUICK = ["epochs=1", "steps=1", "batch=2", "options.base=2", "options.crop_px=64"]


def all_small(name):
    """Return few_small of all groups of an example."""
    return few_small(*range(len(read_yaml(EXAMPLES / name)["simulated"])))


def few_small(*groups):
    """Return settings that make each group of simulated micrographs one small one of one molecule."""
    small = {"molecules": "[rubisco]", "micrographs": 1, "settings.height_px": 384, "settings.width_px": 384}
    return [f"simulated.{group}.{key}={value}" for group in groups for key, value in small.items()]
