"""``cryopick reconstruct``: particles with poses to half maps, a map and its resolution."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .bridge import ENGINE, Given, Offer, takes
from .console import say
from .spelling import tell


@takes(
    settings=Offer(
        "cryopick_ray.particles.volume.reconstruction_settings:ReconstructSettings",
        ("symmetry", "mask_diameter_A", "resolution_A", "seed", "threads"),
        assign=True,
    ),
    engine=Offer(ENGINE, ("device",)),
)
def reconstruct(
    settings: Given,
    engine: Given,
    particles: Annotated[
        Path,
        typer.Argument(
            metavar="PARTICLES", help="STAR file of particles with images and views.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of maps, curves and a page.")],
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="MAP|MOLECULE",
            help="What to compare with: an MRC map, or a molecule of simulate --list-molecules.",
        ),
    ] = None,
    match: Annotated[
        bool, typer.Option("--match", help="Find views by projection matching against --reference.")
    ] = False,
    mask: Annotated[
        Path | None, typer.Option("--mask", metavar="MAP", help="0 to 1, in place of a soft sphere.")
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Reconstruct a molecule from particles whose views are known, and say how far its half maps agree.

    DIR then holds half1.mrc half2.mrc map.mrc fsc.csv reconstruct.json reconstruct.html, and with --match
    particles.star.
    """
    del debug
    from cryopick_ray.particles.volume.reconstruction_settings import ReconstructSettings
    from cryopick_ray.runs.reconstruct_run import reconstruct_file
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings

    done = reconstruct_file(
        particles,
        out,
        fill(ReconstructSettings, **settings),
        reference=reference,
        mask=mask,
        match=match,
        device=fill(EngineSettings, **engine).device,
    )
    for note in done.notes:
        tell(note)
    say(done.to_dict(), done.text(), as_json=as_json)
