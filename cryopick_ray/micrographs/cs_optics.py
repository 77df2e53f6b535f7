"""CryoSPARC's microscope, exposure groups and CTF, converted to RELION's columns."""

import math

from cryopick_ray.micrographs.cs_table import CsTable, as_written
from cryopick_ray.micrographs.optics_groups import (
    ABERRATION,
    CONTRAST,
    GROUP,
    NAME,
    ORIGINAL_SIZE,
    VOLTAGE,
)
from cryopick_ray.units import Optics, is_positive

MM_A, MRAD = 1e7, 1e3
BEAM_TILT = ("rlnBeamTiltX", "rlnBeamTiltY")


def optics_of(table: CsTable) -> list[Optics | None]:
    """Return each row's optics, of ``mscope_params``, else of ``ctf``, which alone has amplitude contrast."""
    origin = "mscope_params" if table.has("mscope_params/accel_kv") else "ctf"
    columns = (f"{origin}/accel_kv", f"{origin}/cs_mm", "ctf/amp_contrast")
    return [_optics(*row) for row in zip(*map(table.values, columns), strict=True)]


def _optics(voltage_kV: float, aberration_mm: float, contrast: float) -> Optics | None:
    if not is_positive(voltage_kV) or not 0 <= aberration_mm < 100:
        return None
    if not 0 <= contrast <= 1:
        return Optics(voltage_kV, aberration_mm)
    return Optics(voltage_kV, aberration_mm, contrast)


def group_columns(
    table: CsTable, groups: list[int | None], optics: list[Optics | None]
) -> list[dict[str, str]]:
    """Return the optics group of each row, empty where it has no exposure group.

    The number is CryoSPARC's, but for 0, which no optics group of RELION has. Beam tilt is the angle whose
    sine is ``ctf/tilt_A`` / Cs.
    """
    rows = zip(groups, optics, table.values("movie_blob/psize_A"), _tilts(table), strict=True)
    return [
        {} if group is None else _group(group, microscope, original_A, tilt_A)
        for group, microscope, original_A, tilt_A in rows
    ]


def _group(
    number: int, microscope: Optics | None, original_A: float, tilt_A: tuple[float, float]
) -> dict[str, str]:
    columns = {NAME: f"opticsGroup{number}"} | ({GROUP: str(number)} if number else {})
    if is_positive(original_A):
        columns[ORIGINAL_SIZE] = f"{original_A:.6f}"
    if microscope is None:
        return columns
    columns[VOLTAGE] = f"{microscope.voltage_kV:.6f}"
    columns[ABERRATION] = f"{microscope.spherical_aberration_mm:.6f}"
    columns[CONTRAST] = f"{microscope.amplitude_contrast:.6f}"
    aberration_A = microscope.spherical_aberration_mm * MM_A
    if any(tilt_A) and all(abs(tilt) < aberration_A for tilt in tilt_A):
        angles = (MRAD * math.asin(tilt / aberration_A) for tilt in tilt_A)
        columns |= {name: f"{angle:.6f}" for name, angle in zip(BEAM_TILT, angles, strict=True)}
    return columns


def ctf_columns(table: CsTable) -> list[dict[str, str]]:
    """Return the CTF of each row as RELION's columns, empty where none was estimated.

    Defocus in angstroms, angles in degrees; which axis an angle counts from is taken to be the same.
    """
    defocus = (table.values(f"ctf/{name}") for name in ("df1_A", "df2_A", "df_angle_rad"))
    fits = table.values("ctf_stats/ctf_fit_to_A"), table.values("ctf/ctf_fit_to_A")
    rows = zip(*defocus, table.values("ctf/phase_shift_rad"), *fits, strict=True)
    return [_ctf(*row) for row in rows]


def _ctf(
    u_A: float, v_A: float, angle_rad: float, phase_rad: float, fit_A: float, older_fit_A: float
) -> dict[str, str]:
    if not all(map(math.isfinite, (u_A, v_A, angle_rad))) or u_A == v_A == 0:
        return {}
    columns = {
        "rlnDefocusU": f"{u_A:.6f}",
        "rlnDefocusV": f"{v_A:.6f}",
        "rlnDefocusAngle": f"{math.degrees(angle_rad):.6f}",
    }
    if math.isfinite(phase_rad) and phase_rad:
        columns["rlnPhaseShift"] = f"{math.degrees(phase_rad):.6f}"
    fit_A = fit_A if is_positive(fit_A) else older_fit_A
    return columns | ({"rlnCtfMaxResolution": f"{fit_A:.6f}"} if is_positive(fit_A) else {})


def _tilts(table: CsTable) -> list[tuple[float, float]]:
    return [(as_written(x), as_written(y)) for x, y in table.pairs("ctf/tilt_A").tolist()]
