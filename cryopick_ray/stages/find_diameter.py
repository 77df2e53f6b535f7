"""The particles' diameter, where nobody gives it: found in a few of a run's micrographs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.engine.engine import PULSE_SECONDS, Engine, Shift, WorkerKind
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.engine.unit_rules import cut
from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.plain_data import read_json
from cryopick_ray.settings.run_settings import IngestSettings, Invert
from cryopick_ray.stages.ingest import probe
from cryopick_ray.store.publish import write_whole

if TYPE_CHECKING:
    from cryopick_ray.stages.diameter_worker import Looked, Sight

SAMPLED, MOVIES_SAMPLED = 8, 3
"""Micrographs looked at, or movies, which take longer; more hardly change the outcome."""
FIRST = 3
"""Of these the ones that are looked at first, quickly. Only doubts make it all of them, then thoroughly."""
MAX_KEPT_BYTES = 2**20
STAGE = "diameter"
DIGITS = 3
"""A diameter is kept to so many: no more are known, and a person reads it."""


def find_diameter(
    sources: Sequence[MicrographSource],
    settings: IngestSettings,
    *,
    invert: Invert,
    device: str,
    engine: Engine,
    events: Events,
) -> EstimatedDiameter:
    """Estimate the particles' diameter from a few micrographs, with the default network.

    Each micrograph is a unit of the engine's workers; what they are together decides, so that any number of
    workers finds the same. A few are enough where they make it sure.

    Parameters
    ----------
    settings
        How micrographs are read, and the threads of one worker.
    invert
        Whether particles are brighter than the ice.
    device
        Where the network runs: ``auto``, ``cpu`` or ``cuda``.
    events
        Told of each micrograph that was looked at, as a stage of its own.

    Raises
    ------
    PixelSizeError
        If a pixel size is missing or not credible.
    UsageError
        If no micrograph can be read, or nothing at all is seen in any of them.
    """
    from cryopick_ray.pickers.heatmap.diameter import ladder, weigh
    from cryopick_ray.stages.diameter_worker import DiameterWorker

    probe(sources, settings)
    most = MOVIES_SAMPLED if any(source.kind == "movie" for source in sources) else SAMPLED
    sampled = [sources[place] for place in evenly_spaced(len(sources), most)]
    worker = partial(DiameterWorker, settings, invert=invert, device=device)
    looked = _look(sampled, engine, WorkerKind(STAGE, worker, on_gpu=device != "cpu"), events)
    names = tuple(looked)
    if (found := weigh([one.answers for one in looked.values()])) is None:
        smallest_A, *_, largest_A = ladder()
        raise UsageError(
            f"the diameter cannot be estimated: nothing was seen in {len(names)} micrographs ({names[0]}"
            f"{', ...' * (len(names) > 1)}) at diameters from {smallest_A:.0f} to {largest_A:.0f} A; give "
            "`diameter_A`, or `pixel_size_A` if the files' own is wrong"
        )
    if doubt := end_of_ladder(found.diameter_A):
        events.warn(doubt)
    return EstimatedDiameter(
        diameter_A=_rounded(found.diameter_A),
        alternatives_A=tuple(map(_rounded, found.alternatives_A)),
        tried_A=found.tried_A,
        evidence=found.evidence,
        particles=found.particles,
        micrographs=names,
        model=DEFAULT_MODEL,
        is_sure=found.is_sure,
        bright=sum(one.inverted for one in looked.values()),
    )


def end_of_ladder(diameter_A: float) -> str:
    """Return the doubt that a diameter at an end of those tried leaves, or an empty text.

    Few molecules are so small or so large; what looks so may be of another pixel size.
    """
    from cryopick_ray.pickers.heatmap.diameter import ladder

    smallest_A, second_A, *_, last_but_one_A, largest_A = ladder()
    if second_A <= diameter_A <= last_but_one_A:
        return ""
    end = "smallest" if diameter_A < second_A else "largest"
    return (
        f"the estimated diameter is among the {end} that are tried ({smallest_A:.0f} to {largest_A:.0f} A); "
        "check `pixel_size_A`, or give `diameter_A`"
    )


def _look(
    sampled: Sequence[MicrographSource], engine: Engine, kind: WorkerKind, events: Events
) -> dict[str, "Looked"]:
    """Return what the workers saw in each micrograph that could be read, in order.

    Raises
    ------
    UsageError
        If none of them can be read.
    """
    from cryopick_ray.pickers.heatmap.diameter import is_clear, is_steady, weigh
    from cryopick_ray.stages.diameter_worker import Sight

    looked: dict[str, Looked] = {}
    failures: dict[str, str] = {}
    places = evenly_spaced(len(sampled), FIRST)
    first, rest = (
        [one for at, one in enumerate(sampled) if (at in places) is wanted] for wanted in (True, False)
    )
    with engine.shift([kind]) as shift:
        for wanted, is_thorough in ((first, False), (rest, False), (sampled, True)):
            some = [source for source in wanted if source.micrograph_id not in failures]
            events.stage(STAGE, len(some))
            for report in _reports(shift, [Sight(source, is_thorough) for source in some]):
                events.report(STAGE, report)
                looked |= {one.micrograph_id: one for one in report.made}
                failures |= dict(report.failures)  # rows of the table, once the run gets there
            looked = {
                one.micrograph_id: looked[one.micrograph_id] for one in sampled if one.micrograph_id in looked
            }
            seen = [one.answers for one in looked.values()]
            if is_clear(weigh(seen)) and (wanted is not first or not rest or is_steady(seen)):
                break
    if not looked:
        name, reason = next(iter(failures.items()))
        raise UsageError(
            f"the diameter cannot be estimated: none of {len(sampled)} micrographs can be used "
            f"({name}: {reason}); give `diameter_A`"
        )
    return looked


def _reports(shift: Shift, sights: Sequence["Sight"]) -> Iterator[UnitReport]:
    """Let workers look at micrographs, and yield their reports as they come."""
    shift.add(STAGE, cut(sights, 1))
    while shift.unfinished:
        for _, report in shift.reports(PULSE_SECONDS):
            yield report


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most ``most`` of the positions below ``count``, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most)).tolist()})


def keep_diameter(path: Path, found: EstimatedDiameter) -> None:
    """Write an estimate whole, or not at all."""
    write_whole(path, json.dumps(asdict(found), indent=1, allow_nan=False))


def kept_diameter(path: Path) -> EstimatedDiameter | None:
    """Return the estimate that a run began with; ``None`` if its diameter was given.

    Raises
    ------
    UsageError
        If the file is damaged.
    """
    try:
        return EstimatedDiameter.from_dict(read_json(path, MAX_KEPT_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UsageError(
            f"{path} is damaged ({brief(error)}); delete it: the run keeps its diameter (config.yaml)"
        ) from error


def _rounded(diameter_A: float) -> float:
    return float(f"{diameter_A:.{DIGITS}g}")
