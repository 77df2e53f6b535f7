"""RELION's list of micrographs with their CTF: micrographs_ctf.star."""

import json
from collections.abc import Callable, Mapping, Sequence

from cryopick_ray.formats.relion.particle_optics import OpticsGroups
from cryopick_ray.formats.star_text import loop, quoted, word
from cryopick_ray.micrographs.ctf.result import CtfFit
from cryopick_ray.micrographs.optics_groups import GROUP
from cryopick_ray.micrographs.star_list import CTF, MICROGRAPH
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.units import Optics

ICE_RING = "rlnCtfIceRingDensity"


def micrographs_star(
    micrographs: Sequence[tuple[PickedMicrograph, CtfFit]], default: Optics, say: Callable[[str], None]
) -> str:
    """Return the text of ``micrographs_ctf.star``: optics groups, then a row for each micrograph.

    Columns that the INPUT's list has of all micrographs are kept, but for a CTF, which is the fit's.

    Parameters
    ----------
    default
        Microscope of the micrographs whose own is unknown.
    say
        Told of groups that are renumbered or named apart.

    Raises
    ------
    PicksError
        A name cannot be written into a STAR file.
    """
    groups = OpticsGroups(default, say)
    rows = [
        {MICROGRAPH: quoted(one.relion_name), GROUP: groups.number(one, None), **_listed(one), **_ctf(fit)}
        for one, fit in micrographs
    ]
    columns = [column for column in dict.fromkeys(rows[0] if rows else ()) if _in_all(column, rows)]
    lines = "".join(" ".join(row[column] for column in columns) + "\n" for row in rows)
    return groups.text(has_images=False) + loop("micrographs", columns or (MICROGRAPH,)) + lines + "\n"


def _ctf(fit: CtfFit) -> dict[str, str]:
    ctf = {
        "rlnDefocusU": f"{fit.defocus_u_A:.1f}",
        "rlnDefocusV": f"{fit.defocus_v_A:.1f}",
        "rlnCtfAstigmatism": f"{fit.defocus_u_A - fit.defocus_v_A:.1f}",
        "rlnDefocusAngle": f"{fit.defocus_angle_deg:.2f}",
        "rlnCtfFigureOfMerit": f"{fit.score:.4f}",
    }
    if fit.resolution_A is not None:
        ctf["rlnCtfMaxResolution"] = f"{fit.resolution_A:.2f}"
    return ctf if fit.ice_ring is None else ctf | {ICE_RING: f"{fit.ice_ring:.4f}"}


def _listed(micrograph: PickedMicrograph) -> dict[str, str]:
    """Return the words of the list that RELION knows, or may, and that are no CTF."""
    columns = json.loads(micrograph.listed) if micrograph.listed else {}
    own = {*CTF, MICROGRAPH, GROUP, "rlnCtfAstigmatism", ICE_RING}
    return {
        name: word(str(value))
        for name, value in columns.items()
        if name.startswith("rln") and name not in own
    }


def _in_all(column: str, rows: Sequence[Mapping[str, str]]) -> bool:
    return all(column in row for row in rows)
