"""Options that several commands share, spelled once."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cryopick_ray import DEFAULT_MODEL

ENGINE, MOVIES, ARCHIVE = "Engine", "Movies", "EMPIAR"
DONE_WITH_FAILURES = 3
"""Exit status of a run that ended, with micrographs that failed."""


def absolute(text: str) -> str:
    """Return an INPUT that means the same from any folder."""
    return text if "://" in text or text.startswith("empiar:") else str(Path(text).absolute())


def absolute_model(model: str | None) -> str | None:
    """Return a weights file's full path; a model's name stays as it is."""
    return str(Path(model).absolute()) if model and Path(model).is_file() else model


def _remember_debug(ctx: typer.Context, wanted: bool) -> bool:
    ctx.meta["debug"] = wanted
    return wanted


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="Folder, file, glob in quotes, list (text, STAR, .cs), s3:// gs:// https:// URL, or empiar:ID.",
        show_default=False,
    ),
]
Diameter = Annotated[
    float | None,
    typer.Option("--diameter", metavar="A", help="Longest dimension of the particle in angstroms."),
]
PixelSize = Annotated[
    float | None,
    typer.Option("--pixel-size", metavar="A", help="Pixel size in angstroms; default: each file's header."),
]
StorePixelSize = Annotated[
    float | None,
    typer.Option("--store-pixel-size", metavar="A", help="Pixel size of the store; default: what is needed."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|FILE",
        help=f"Model name or weights file (.safetensors, .sav); default: {DEFAULT_MODEL}.",
    ),
]
ParticlePx = Annotated[
    float | None,
    typer.Option(
        "--particle-px", metavar="N", help="Pixels a diameter becomes for the model; default: its own."
    ),
]
Invert = Annotated[
    bool | None,
    typer.Option("--invert/--no-invert", help="Particles are brighter than the ice.", show_default=False),
]
Exact = Annotated[
    bool | None,
    typer.Option(
        "--exact/--no-exact",
        help="Ask a network for every output of its paper's procedure, in float32: slower.",
        show_default=False,
    ),
]
PrecisionName = Annotated[
    Literal["auto", "float32", "bfloat16"] | None,
    typer.Option(
        "--precision",
        rich_help_panel=ENGINE,
        help="Of a network that is not asked --exact; default: auto, as its earlier picks, else the fastest.",
    ),
]
Threshold = Annotated[
    str | None,
    typer.Option(
        "--threshold", metavar="auto|X", help="Score from which a candidate is picked; default: auto."
    ),
]
EngineName = Annotated[
    Literal["ray", "serial"] | None,
    typer.Option("--engine", rich_help_panel=ENGINE, help="Who runs the work; default: ray."),
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        rich_help_panel=ENGINE,
        metavar="N|LO,HI",
        help="Ray actors, or at least and at most; default: one per CPU or GPU, as they come and go.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", rich_help_panel=ENGINE, metavar="N", help="CPU threads of a worker; default: 1."
    ),
]
TrainWorkers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        rich_help_panel=ENGINE,
        metavar="N|LO,HI",
        help="Training workers, or at least and at most; default: one per GPU, without GPUs one.",
    ),
]
TrainThreads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        rich_help_panel=ENGINE,
        metavar="N",
        min=1,
        help="CPU threads of a worker; default: its share.",
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"] | None,
    typer.Option(
        "--device",
        rich_help_panel=ENGINE,
        help="Where networks run; default: auto, a GPU where there is one.",
    ),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-worker",
        rich_help_panel=ENGINE,
        metavar="X",
        help="GPUs of a worker; 0.5 puts two on one; default: 1.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        rich_help_panel=ENGINE,
        metavar="A",
        help="Ray cluster to join; default: this machine alone.",
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Take the first N micrographs.")]
RelionProject = Annotated[
    Path | None,
    typer.Option(
        "--relion-project", metavar="DIR", help="Folder RELION runs in; default: the working folder."
    ),
]
Gain = Annotated[
    Path | None,
    typer.Option("--gain", metavar="FILE", rich_help_panel=MOVIES, help="Gain reference (MRC, TIFF, .gain)."),
]
GainRot = Annotated[
    int | None,
    typer.Option(
        "--gain-rot", metavar="0-3", rich_help_panel=MOVIES, help="Its quarter turns, as RELION's --gain_rot."
    ),
]
GainFlip = Annotated[
    int | None,
    typer.Option(
        "--gain-flip",
        metavar="0-2",
        rich_help_panel=MOVIES,
        help="Then 1 upside down, 2 left to right, as RELION's --gain_flip.",
    ),
]
Dose = Annotated[
    float | None,
    typer.Option(
        "--dose-per-frame",
        metavar="e/A2",
        rich_help_panel=MOVIES,
        help="Weights frames by their dose; default: no dose weighting.",
    ),
]
Binning = Annotated[
    float | None,
    typer.Option(
        "--binning",
        metavar="X",
        rich_help_panel=MOVIES,
        help="Of averages: 2 for super-resolution frames; default: 1.",
    ),
]
MovieSet = Annotated[
    list[str] | None,
    typer.Option(
        "--movie-set",
        metavar="NAME=VALUE",
        rich_help_panel=MOVIES,
        help="Any other setting of movies, such as first_frame=2, eer_grouping=30, align=false.",
    ),
]
ImageSet = Annotated[
    str | None,
    typer.Option(
        "--image-set",
        metavar="N|NAME",
        rich_help_panel=ARCHIVE,
        help="Number or name; default: micrographs before movies.",
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        metavar="GLOB",
        rich_help_panel=ARCHIVE,
        help="What names must fit, such as '*_DW.mrc'.",
    ),
]
Connections = Annotated[
    int | None,
    typer.Option("--connections", metavar="N", rich_help_panel=ARCHIVE, help="Files at a time; default: 4."),
]
Bandwidth = Annotated[
    float | None,
    typer.Option(
        "--bandwidth",
        metavar="MB/s",
        rich_help_panel=ARCHIVE,
        help="Megabytes a second at most; default: no limit.",
    ),
]
DiskGB = Annotated[
    float | None,
    typer.Option(
        "--disk-gb",
        metavar="GB",
        rich_help_panel=ARCHIVE,
        help="Fetched files at most at a time, deleted once ingested; default: micrographs are kept.",
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


def movie_settings(
    given: dict[str, Any],
    *,
    gain: Path | None,
    gain_rot: int | None,
    gain_flip: int | None,
    dose: float | None,
    binning: float | None,
    others: list[str] | None,
) -> dict[str, Any]:
    """Return plain settings of movies: ``given`` ones, and over them what the command line says."""
    from cryopick_ray.config import assigned

    named = {
        "gain": str(gain.absolute()) if gain else None,
        "gain_rot": gain_rot,
        "gain_flip": gain_flip,
        "dose_per_frame_e_A2": dose,
        "binning": binning,
    }
    over = {name: value for name, value in named.items() if value is not None}
    return assigned(given | over, others or [], option="`movie_set`")
