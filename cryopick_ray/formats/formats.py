"""All export formats by name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.box import write_box
from cryopick_ray.formats.cbox import write_cbox
from cryopick_ray.formats.coordinates import Coordinates, picked
from cryopick_ray.formats.cs import write_cs
from cryopick_ray.formats.cs_like import CsLike
from cryopick_ray.formats.csv_table import write_csv
from cryopick_ray.formats.star import write_star
from cryopick_ray.formats.topaz import write_topaz
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.units import Optics


@dataclass(frozen=True)
class ExportSettings:
    """What the formats need besides the picks; each takes what concerns it.

    Attributes
    ----------
    relion_project
        Folder in which RELION will run (``star``); the working folder where ``None``.
    optics
        Microscope (``star``).
    box_px
        Side of the box in pixels (``box``, ``cbox``); 1.5 particle diameters where ``None``.
    like
        Picks or exposures of the CryoSPARC project to fit in (``cs``).
    whole_px
        Round centres to whole pixels (``star``).
    say
        Told what was made up or decided, and what a format cannot hold.
    """

    relion_project: Path | None = None
    optics: Optics = field(default_factory=Optics)
    box_px: int | None = None
    like: Path | None = None
    whole_px: bool = False
    say: Callable[[str], None] = lambda text: None


Writer = Callable[[Iterable[Coordinates], Path, ExportSettings], None]

FORMATS: dict[str, Writer] = {
    "star": lambda picks, out, given: write_star(
        picks, out, given.relion_project, given.optics, whole_px=given.whole_px, say=given.say
    ),
    "box": lambda picks, out, given: write_box(picks, out, given.box_px),
    "cbox": lambda picks, out, given: write_cbox(picks, out, given.box_px),
    "cs": lambda picks, out, given: write_cs(
        picks, out, CsLike(given.like, given.say) if given.like else None, given.say
    ),
    "csv": lambda picks, out, given: write_csv(picks, out),
    "topaz": lambda picks, out, given: write_topaz(picks, out),
}


def export(
    picks: Iterable[MicrographPicks], format: str, out: Path, settings: ExportSettings | None = None
) -> None:
    """Write the picked candidates in the format of another program.

    Parameters
    ----------
    picks
        Micrographs in table order; read once, one at a time.
    format
        A key of :data:`FORMATS`.
    out
        Folder, made where missing.
    settings
        What the format needs besides the picks.

    Raises
    ------
    UsageError
        The format is unknown.
    """
    if format not in FORMATS:
        raise UsageError(f"format is {format!r}, expected one of {', '.join(FORMATS)}: change `format`")
    FORMATS[format](picked(picks), out, settings or ExportSettings())
