"""``cryopick diameter``: how large the particles are, found in the micrographs."""

from dataclasses import asdict
from pathlib import Path

from . import options
from .console import ConsoleEvents, say


def diameter(
    inputs: options.Inputs = None,
    pixel_size: options.PixelSize = None,
    invert: options.Invert = None,
    relion_project: options.RelionProject = None,
    threads: options.Threads = None,
    device: options.Device = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Estimate the particles' diameter from a few micrographs, as run does without --diameter."""
    del debug
    from cryopick_ray.config import fill
    from cryopick_ray.engine.serial import SerialEngine
    from cryopick_ray.micrographs.sources import list_sources
    from cryopick_ray.settings import IngestSettings
    from cryopick_ray.stages.diameter import find_diameter

    given = fill(IngestSettings, pixel_size_A=pixel_size, threads=threads)
    sources = list_sources(inputs or [], relion_project=relion_project or Path())
    with ConsoleEvents() as events:
        found = find_diameter(
            sources,
            given,
            invert=bool(invert),
            device=device or "auto",
            engine=SerialEngine(),
            events=events,
        )
    lines = [
        f"{tried_A:8.4g} A  {value:.3g}" for tried_A, value in zip(found.tried_A, found.evidence, strict=True)
    ]
    others = found.others() if found.is_sure else ""  # a guess tells them itself
    say(asdict(found), "\n".join([*lines, f"diameter {found.text()}{others}"]), as_json=as_json)
