"""A few simulated micrographs of other molecules: shown beside a target, so that nothing is forgotten."""

import math
from pathlib import Path
from typing import Any

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.training.data.prepare import prepare_data
from cryopick_ray.training.data.splits import Rows
from cryopick_ray.training.training_settings import LearnSettings, SimulatedData, TrainSettings

MOLECULES = ("antibody", "rubisco", "ribosome-70s", "long-rod", "ring", "tetramer")
"""Of the default model's: small, compact, large, long, flat, many-sided."""
SIDE = 16
"""Of a micrograph, in diameters."""
PLAIN: dict[str, Any] = {"scene": {"packing": [0.1, 0.4], "aggregates": [0, 1]}}


def remembered(settings: LearnSettings, folder: Path, engine: Engine, events: Events) -> Rows:
    """Return a simulated micrograph of each of six molecules, made in ``folder`` unless they are there.

    Parameters
    ----------
    settings
        With ``particle_px`` among the options: the scale that the network is shown.
    """
    particle_px = float(settings.options["particle_px"])
    side_px = 32 * math.ceil(SIDE * particle_px * settings.scales[1] / 32)
    made = SimulatedData(
        molecules=MOLECULES,
        micrographs=1,
        particle_px=max(8.0, particle_px * settings.scales[1]),
        settings=PLAIN | {"height_px": side_px, "width_px": side_px},
    )
    both = TrainSettings(network=settings.network, scales=settings.scales, simulated=(made,))
    data = prepare_data(both, particle_px, folder, engine, events)
    return tuple(row for one in data for row in one.rows)


def mixed(own: Rows, others: Rows, share: float) -> Rows:
    """Return micrographs to learn from, of which about ``share`` are of the others, each repeated alike."""
    if not (own and others and share):
        return own
    times = share / (1 - share) * len(own) / len(others)
    return own * max(1, round(1 / times)) + others * max(1, round(times))
