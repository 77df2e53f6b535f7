"""A run's settings and fresh heat-map weights for them."""

from datetime import date

from cryopick_ray.pickers.heatmap.networks import HeatmapNetwork
from cryopick_ray.pickers.weights import ModelCard, save_model, weights_digest
from cryopick_ray.settings.config import load_settings


def run_of(model, **changes):
    return load_settings({"inputs": ["x"], "diameter_A": 60, "model": str(model)} | changes)


def saved_model(folder):
    """Save fresh weights of a heat map, made for 20 pixels a diameter; return their path."""
    path, state = folder / "mine.safetensors", HeatmapNetwork("heatmap", base=2).state_dict()
    card = ModelCard(
        name="mine",
        architecture="heatmap",
        parameters={"base": 2},
        particle_px=20,
        normalisation="heatmap",
        trained_on="nothing",
        licence="none",
        source="a test",
        date=date(2024, 1, 1),
        digest=weights_digest(state),
    )
    save_model(path, state, card)
    return path
