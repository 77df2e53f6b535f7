"""``cryopick diameter``: how large the particles are, found in the micrographs."""

from dataclasses import asdict

from . import options
from .bridge import ENGINE, RUN, Given, Offer, takes
from .console import ConsoleEvents, say
from .spelling import tell


@takes(
    settings=Offer(
        RUN, ("inputs", "pattern", "exclude", "pixel_size_A", "invert", "relion_project", "threads")
    ),
    engine=Offer(ENGINE, ("device",)),
)
def diameter(
    settings: Given,
    engine: Given,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Estimate the particles' diameter from a few micrographs, as run does without --diameter."""
    del debug
    from cryopick_ray.engine.serial import SerialEngine
    from cryopick_ray.micrographs.sources import list_sources
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.settings.run_settings import RunSettings
    from cryopick_ray.stages.find_diameter import find_diameter

    wanted, device = fill(RunSettings, **settings), fill(EngineSettings, **engine).device
    sources = list_sources(wanted.inputs, **wanted.which, say=tell)
    with ConsoleEvents() as events:
        found = find_diameter(
            sources,
            wanted.ingest(None),
            invert=wanted.invert,
            device=device,
            engine=SerialEngine(),
            events=events,
        )
    lines = [
        f"{tried_A:8.4g} A  {value:.3g}" for tried_A, value in zip(found.tried_A, found.evidence, strict=True)
    ]
    others = found.others() if found.is_sure else ""  # a guess tells them itself
    say(asdict(found), "\n".join([*lines, f"diameter {found.text()}{others}"]), as_json=as_json)
