"""``cryopick plan``: what a run will cost, before it starts."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .bridge import ENGINE, RUN, Given, Offer, takes
from .console import ConsoleEvents, say
from .spelling import tell

if TYPE_CHECKING:
    from cryopick_ray.runs.estimate.cost import Estimate, Machines, StageRates

PREFIXES = ("", "k", "M", "G", "T", "P")


@takes(
    settings=Offer(
        RUN,
        (
            *("inputs", "diameter_A", "model", "pixel_size_A", "particle_px", "invert", "exact"),
            *("pattern", "exclude", "limit", "store_pixel_size_A", "relion_project", "threads", "dtype"),
        ),
    ),
    engine=Offer(ENGINE, ("engine", "device")),
)
def plan(
    settings: Given,
    engine: Given,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="CPU workers; default: one per CPU here.")
    ] = None,
    gpus: Annotated[
        int, typer.Option("--gpus", metavar="N", help="GPUs; default: one, where rates are of a GPU.")
    ] = 0,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            "--bandwidth",
            metavar="MB/s",
            help="What all workers together read, and write, at most; default: no limit.",
        ),
    ] = None,
    bench: Annotated[
        Path | None,
        typer.Option(
            "--bench",
            metavar="FILE",
            help="Rates of another machine, from its `cryopick bench --json`; default: measured here.",
        ),
    ] = None,
    micrographs: Annotated[
        int | None, typer.Option("--micrographs", metavar="N", help="How many; default: those of INPUT.")
    ] = None,
    size: Annotated[
        float | None,
        typer.Option("--bytes", metavar="B", help="Of all of them, such as 109e12; default: as INPUT's."),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Estimate bytes, hours and what bounds them, from a few micrographs that are picked now."""
    del debug
    from cryopick_ray.engine.serial import SerialEngine
    from cryopick_ray.errors import UsageError
    from cryopick_ray.micrographs.sources import list_sources
    from cryopick_ray.runs.estimate.cost import Machines, estimate
    from cryopick_ray.runs.estimate.measured_rates import from_bench, measure, total_bytes
    from cryopick_ray.runs.pipeline import estimate_diameter, with_diameter
    from cryopick_ray.runs.pipeline import plan as check
    from cryopick_ray.settings.config import fill, rooted
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.settings.run_settings import PickSettings, RunSettings

    inputs = settings.get("inputs", [])
    if not inputs and (bench is None or micrographs is None):
        raise UsageError("no INPUT; give micrographs, or --bench FILE with --micrographs N")
    if archived := [text for text in inputs if text.startswith("empiar:")]:
        raise UsageError(
            f"INPUT {archived[0]!r} is an archive's, and its files are not fetched to be measured; give "
            "--bench FILE --micrographs N --bytes B (`cryopick empiar list` tells both)"
        )
    machines = Machines(workers or os.cpu_count() or 1, gpus, bandwidth and bandwidth * 1e6)
    wanted = rooted(fill(RunSettings, **{"inputs": ["-"]} | settings))
    if bench is None:
        checked = check(wanted, fill(EngineSettings, **engine), say=tell)
        if checked.settings.diameter_A is None:
            with ConsoleEvents() as events:
                checked = with_diameter(checked, estimate_diameter(SerialEngine(), checked, events))
        rates, sources = measure(checked), checked.sources
    else:
        of_picks = {*PickSettings.model_fields, "pixel_size_A", "store_pixel_size_A"} - {"model"}
        if of_picks & settings.keys():
            raise UsageError(
                "--bench FILE has its own settings: of those of the picks, only --model goes with it"
            )
        rates = from_bench(bench, settings.get("model"))
        sources = list_sources(wanted.inputs, **wanted.which, say=tell) if inputs else []
    count = len(sources) if micrographs is None else micrographs
    if size is None:
        size = count * (total_bytes(sources) / len(sources) if sources else rates.source_bytes)
    outcome = estimate(count, size, rates, machines)
    say(outcome.to_dict(), _text(outcome, rates, machines, bench), as_json=as_json)


def _text(outcome: "Estimate", rates: "StageRates", machines: "Machines", bench: Path | None) -> str:
    who = f"{machines.workers} CPU workers"
    who += f" and {max(1, machines.gpus)} GPUs" if rates.on_gpu else ""
    lines = [
        f"{outcome.micrographs} micrographs, {_amount(outcome.source_bytes)}",
        f"store     {_amount(outcome.store_bytes)}",
        f"picks     {_amount(outcome.picks_bytes)}, {outcome.candidates:.3g} candidates",
        f"CPU       {_hours(3600 * outcome.cpu_hours)}",
        *([f"GPU       {_hours(3600 * outcome.gpu_hours)}"] if rates.on_gpu else []),
        "",
        f"{'stage':8}{'reading':>12}{'computing':>12}{'writing':>12}{'takes':>12}   bound by",
        *(
            f"{stage.name:8}{_moving(stage.reading_s):>12}{_hours(stage.computing_s):>12}{_moving(stage.writing_s):>12}"
            f"{_hours(stage.seconds):>12}   {stage.bound}"
            for stage in outcome.stages
        ),
        f"{'both':8}{_hours(outcome.seconds):>48}   start-up, table and report apart",
        "",
        f"with {who}, each as fast as {f'in {bench}' if bench else 'one here on a few micrographs'}",
    ]
    return "\n".join(lines)


def _amount(amount: float) -> str:
    step = 0
    while amount >= 999.5 and step < len(PREFIXES) - 1:
        amount, step = amount / 1000, step + 1
    return f"{amount:.3g} {PREFIXES[step]}B"


def _hours(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:,.1f} h"


def _moving(seconds: float) -> str:
    return _hours(seconds) if seconds else "-"
