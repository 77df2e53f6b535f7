"""``cryopick ctf``: the defocus of micrographs, for RELION and for runs."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .bridge import ENGINE, RUN, Given, Offer, takes
from .console import ConsoleEvents, say
from .spelling import tell


@takes(
    settings=Offer(
        RUN,
        (
            *("inputs", "pattern", "exclude", "limit", "pixel_size_A", "relion_project", "optics"),
            "threads",
        ),
    ),
    fit=Offer("cryopick_ray.micrographs.ctf.ctf_settings:CtfSettings"),
    engine=Offer(ENGINE, ("engine", "workers", "address")),
)
def ctf(
    settings: Given,
    fit: Given,
    engine: Given,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of micrographs_ctf.star and ctf.json.")
    ],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Fit defocus and astigmatism to the rings of micrographs' power spectra.

    DIR/micrographs_ctf.star lists what is sure, as an INPUT of run and for RELION; ctf.json has the numbers
    of all micrographs, and why some are doubted.
    """
    del debug
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.micrographs.ctf.ctf_settings import CtfSettings
    from cryopick_ray.micrographs.sources import list_sources
    from cryopick_ray.runs.ctf_run import fit_all, write_ctf
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.settings.run_settings import RunSettings

    wanted, running = fill(RunSettings, **settings), fill(EngineSettings, **engine)
    searched = fill(CtfSettings, **fit)
    sources = list_sources(wanted.inputs, **wanted.which, say=tell)
    with ConsoleEvents() as events, open_engine(running, threads=wanted.threads) as runner:
        outcome = fit_all(sources, wanted.ingest(None), wanted.optics, searched, runner, events)
        write_ctf(outcome, out.absolute(), wanted.optics, events)
    sure, doubtful = len(outcome.sure), len(outcome.fitted) - len(outcome.sure)
    text = (
        f"{sure} micrographs in {out / 'micrographs_ctf.star'}; {doubtful} doubtful and "
        f"{len(outcome.failures)} failed, see {out / 'ctf.json'}"
    )
    say({"out": str(out), **outcome.to_dict()}, text, as_json=as_json)
    if outcome.failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)
