"""``cryopick consensus``: what several pickers agree on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .console import say
from .spelling import tell

if TYPE_CHECKING:
    from cryopick_ray.passes.consensus import Votes


def consensus(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Runs, tables, files or folders of coordinates of any program, as PATH or NAME=PATH.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the table and of consensus.html.")
    ],
    votes: Annotated[
        str,
        typer.Option(
            "--votes",
            metavar="N|weighted",
            help="Pickers that a particle needs; weighted: by how reliable their agreement shows them to be.",
        ),
    ] = "weighted",
    radius: Annotated[
        float, typer.Option("--radius", metavar="D", help="Diameters within which places are one particle.")
    ] = 0.5,
    crowded: Annotated[
        bool, typer.Option("--crowded", help="Group by an integer programme over cliques, not nearest first.")
    ] = False,
    diameter: Annotated[
        float | None, typer.Option("--diameter", metavar="A", help="Of the particle, where no INPUT says it.")
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option("--pixel-size", metavar="A", help="Likewise of the micrographs.")
    ] = None,
    micrographs: Annotated[
        str | None,
        typer.Option("--micrographs", metavar="WHERE", help="Micrographs, where no INPUT is a run of ours."),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Let pickers vote: a table of what they agree on, to export, evaluate or learn from.

    DIR then holds table/ agreement.json consensus.html.
    """
    del debug
    from cryopick_ray.passes.votes import Vote
    from cryopick_ray.runs.consensus_run import agree

    wanted = Vote(_votes(votes), radius, crowded=crowded)
    outcome = agree(
        inputs, out, wanted, diameter_A=diameter, pixel_size_A=pixel_size, micrographs=micrographs
    )
    for note in outcome.notes:
        tell(note)
    say(outcome.to_dict(), outcome.text(), as_json=as_json)


def _votes(text: str) -> "Votes":
    from cryopick_ray.errors import UsageError

    try:
        return "weighted" if text == "weighted" else int(text)
    except ValueError:
        raise UsageError(f"`votes` is {text!r}, expected a number of pickers or weighted") from None
