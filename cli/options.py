"""Options that several commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

from .bridge import ENGINE, Offer

MOVIES = "Movies"
DONE_WITH_FAILURES = 3
"""Exit status of a run that ended, with micrographs that failed."""
WORK = Offer(ENGINE, ("engine", "workers", "device", "address"))
"""Where work is run whose workers own a GPU each."""
_OF_LEARNING = ("engine", "workers", "threads", "device", "address")
LEARNING = Offer("cryopick_ray.runs.learning:LearningSettings", _OF_LEARNING)
TEACHING = Offer("cryopick_ray.runs.learning:TeachingSettings", _OF_LEARNING)


def _remember_debug(ctx: typer.Context, wanted: bool) -> bool:
    ctx.meta["debug"] = wanted
    return wanted


RelionProject = Annotated[
    Path | None,
    typer.Option(
        "--relion-project", metavar="DIR", help="Folder RELION runs in; default: the working folder."
    ),
]
StoreUrl = Annotated[str, typer.Option("--store", metavar="S", help="Store of micrographs (zarr).")]
Digest = Annotated[
    str | None, typer.Option("--digest", metavar="D", help="Which picks, if the folder holds several.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on standard output.")]
Debug = Annotated[
    bool,
    typer.Option("--debug", callback=_remember_debug, help="Show tracebacks.", expose_value=True),
]


Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Take the first N.")]
