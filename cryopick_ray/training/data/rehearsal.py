"""Rehearsal: simulated micrographs of other molecules beside a target's, against forgetting."""

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


def rehearsal_rows(settings: LearnSettings, folder: Path, engine: Engine, events: Events) -> Rows:
    """Return a simulated micrograph of each of six molecules, made in ``folder`` unless they are there.

    Parameters
    ----------
    settings
        With ``particle_px`` among the options: the network's scale.
    """
    particle_px = float(settings.options["particle_px"])
    side_px = 32 * math.ceil(SIDE * particle_px * settings.scales[1] / 32)
    group = SimulatedData(
        molecules=MOLECULES,
        micrographs=1,
        particle_px=max(8.0, particle_px * settings.scales[1]),
        settings=PLAIN | {"height_px": side_px, "width_px": side_px},
    )
    simulated = TrainSettings(network=settings.network, scales=settings.scales, simulated=(group,))
    data = prepare_data(simulated, particle_px, folder, engine, events)
    return tuple(row for training_set in data for row in training_set.rows)


def mixed_rows(target: Rows, others: Rows, share: float) -> Rows:
    """Return training micrographs, a ``share`` of them of the others, by repeating either group."""
    if not (target and others and share):
        return target
    times = share / (1 - share) * len(target) / len(others)
    return target * max(1, round(1 / times)) + others * max(1, round(times))
