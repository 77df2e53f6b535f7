"""Micrographs with their verdicts, and the good ones alone, as RELION lists micrographs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.relion.particle_optics import OpticsGroups
from cryopick_ray.formats.star_text import loop, quoted, word
from cryopick_ray.micrographs.optics_groups import GROUP
from cryopick_ray.micrographs.star_list import MICROGRAPH
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.store.publish import published

ALL, GOOD = "verdicts.star", "good.star"
OWN = (
    *("cryopickVerdict", "cryopickPicks", "cryopickCandidates", "cryopickMeanScore"),
    *("cryopickJustBelow", "cryopickOnJunk", "cryopickReasons"),
)
"""Our columns: RELION keeps columns that it does not know, and takes no notice of them."""
NONE = "None"
Row = Mapping[str, str]


def write_verdicts(micrographs: Iterable[PickedMicrograph], out: Path, settings: ExportSettings) -> None:
    """Write ``verdicts.star``, every judged micrograph, and ``good.star``, the good ones, below ``out``.

    Both hold what INPUT's list says of a micrograph, its CTF and optics group among it, so that either is a
    list of micrographs for RELION; ``verdicts.star`` has our columns beside. Blanks in verdicts are
    underscores there, and a number that is not known is -1. Micrographs that failed are in neither.
    """
    groups = OpticsGroups(settings.optics, lambda text: None)
    rows: list[tuple[str, Row]] = []
    for micrograph in micrographs:
        if not micrograph.verdict:
            continue
        try:
            name = quoted(micrograph.relion_name)
        except PicksError as error:
            settings.say(f"{micrograph.micrograph_id} is in neither {ALL} nor {GOOD}: {error}")
            continue
        listed = _listed(micrograph) | {MICROGRAPH: name, GROUP: groups.number(micrograph, None)}
        rows.append((micrograph.verdict, listed | _own(micrograph)))
    columns = dict.fromkeys(name for _, row in rows for name in row if name not in (MICROGRAPH, GROUP, *OWN))
    usual = (MICROGRAPH, *columns, GROUP)
    optics = groups.text(has_images=False) if rows else ""
    _write(out / ALL, optics, (*usual, *OWN), [row for _, row in rows])
    _write(out / GOOD, optics, usual, [row for kind, row in rows if kind == "good"])


def _write(path: Path, optics: str, columns: Iterable[str], rows: Iterable[Row]) -> None:
    columns = tuple(columns)
    with published(path) as file:
        file.write(optics)
        file.write(loop("micrographs", columns))
        file.writelines(" ".join(row.get(name, NONE) for name in columns) + "\n" for row in rows)
        file.write("\n")


def _own(micrograph: PickedMicrograph) -> dict[str, str]:
    numbers = (
        micrograph.picks,
        micrograph.candidates,
        micrograph.mean_score,
        micrograph.just_below,
        micrograph.on_junk,
    )
    words = ["-1" if value is None else f"{value:.6g}" for value in numbers]
    verdict, reasons = micrograph.verdict.replace(" ", "_"), micrograph.reasons.replace("\n", "; ")
    return dict(zip(OWN, (verdict, *words, word(reasons or NONE)), strict=True))


def _listed(micrograph: PickedMicrograph) -> dict[str, str]:
    """Return the columns of RELION's that INPUT's list has of a micrograph."""
    listed = json.loads(micrograph.listed) if micrograph.listed else {}
    found = {}
    for name, value in listed.items():
        if name.startswith("rln"):
            try:
                found[name] = word(str(value) or NONE)
            except PicksError:  # no word can hold it
                continue
    return found
