"""The suite's table, for a terminal and as Markdown."""

from collections.abc import Callable, Sequence

from cryopick_ray.suite.averaged_rows import PRECISION, RATIO, SECONDS, SuiteRow

Column = tuple[str, Callable[[SuiteRow], str]]
NOTHING = "-"
ABOUT = (
    "Precision, recall and F1 are of what a model picks by itself (threshold auto), best F1 is at the best "
    f"threshold in hindsight, recall at P {PRECISION:g} the highest of any threshold whose picks are so "
    "precise, AUPRC is of all candidates, and ECE is how far scores of 0.05 and more are from the share of "
    "particles among such candidates, where scores are from 0 to 1; off centre is the median distance of the "
    "picks that find a particle from its middle, in diameters; all pooled over the micrographs. Filaments "
    "are scored by their length; breaks, bridged gaps and false joins are counted; off deg and off axis are "
    "the median errors of their direction and, in widths, of their axis. Several "
    "trainings of one model: mean ± standard deviation. Seconds are a worker's on one thread from file to "
    "picks, wall-clock, start-up apart: the median micrograph (of one or two, a network's slow first pass "
    "shows)."
)


def _number(name: str, digits: int) -> Callable[[SuiteRow], str]:
    def show(row: SuiteRow) -> str:
        mean, spread = row.mean.get(name), row.spread.get(name)
        if mean is None:
            return NOTHING
        return f"{mean:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")

    return show


WHAT: tuple[Column, ...] = (
    ("data", lambda row: row.data),
    ("model", lambda row: row.model),
    ("micrographs", lambda row: str(row.micrographs)),
)
OPTIONAL = ("recall first/last", "labels", "trained on", "failed")
"""Columns that are left out where they are empty."""
REMARKS: tuple[Column, ...] = (
    ("s a micrograph", _number(SECONDS, 3)),
    ("trained on", lambda row: row.overlap),
    ("failed", lambda row: row.failure),
)
FOUND: tuple[Column, ...] = (
    *WHAT,
    ("precision", _number("precision", 3)),
    ("recall", _number("recall", 3)),
    ("F1", _number("f1", 3)),
    ("best F1", _number("best_f1", 3)),
    ("at score", _number("best_threshold", 2)),
    (f"recall at P {PRECISION:g}", _number("recall_at_precision", 3)),
    ("AUPRC", _number("auprc", 3)),
    ("ECE", _number("calibration_error", 3)),
    ("off centre", _number("centring_error", 3)),
    ("picks a particle", _number("picks_per_particle", 2)),
    ("recall first/last", _number(RATIO, 2)),
    ("labels", lambda row: row.labels),
    *REMARKS,
)
FOUND_FILAMENTS: tuple[Column, ...] = (
    *WHAT,
    *(
        column
        for column in FOUND
        if column[0] in ("precision", "recall", "F1", "best F1", "at score", "AUPRC")
    ),
    ("breaks", _number("breaks", 1)),
    ("bridges", _number("bridges", 1)),
    ("false joins", _number("false_joins", 1)),
    ("crossings", _number("crossings", 1)),
    ("off deg", _number("angle_deg", 2)),
    ("off axis", _number("offset", 3)),
    ("labels", lambda row: row.labels),
    *REMARKS,
)
FALSE: tuple[Column, ...] = (
    *WHAT,
    ("false picks a micrograph", _number("false_mean", 1)),
    ("median", _number("false_median", 1)),
    ("most in one", _number("false_most", 1)),
    *REMARKS,
)
COUNTED: tuple[Column, ...] = (*WHAT, ("picks a micrograph", FALSE[3][1]), *FALSE[4:])


def to_markdown(rows: Sequence[SuiteRow]) -> str:
    """Return the tables of particles, filaments, unlabelled and empty micrographs, ready for a README."""
    parts = [ABOUT]
    for cells in _tables(rows):
        lines = [f"| {' | '.join(map(_escaped, line))} |" for line in cells]
        lines.insert(1, "|" + "---|" * len(cells[0]))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def to_text(rows: Sequence[SuiteRow]) -> str:
    """Return the same in aligned columns."""
    parts = []
    for cells in _tables(rows):
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def used_columns(rows: Sequence[SuiteRow]) -> list[Column]:
    """Return the columns of rows of one kind; optional ones only where they are not empty."""
    return [
        column
        for column in _columns(rows[0])
        if column[0] not in OPTIONAL or {column[1](row) for row in rows} - {"", NOTHING}
    ]


def _columns(row: SuiteRow) -> tuple[Column, ...]:
    if row.of_filaments:
        return FOUND_FILAMENTS
    return COUNTED if not row.is_labelled else FALSE if row.is_empty else FOUND


def _tables(rows: Sequence[SuiteRow]) -> list[list[list[str]]]:
    """Return the lines of each table, its head first."""
    tables = []
    for columns in (FOUND, FOUND_FILAMENTS, COUNTED, FALSE):
        rows_of_kind = [row for row in rows if _columns(row) is columns]
        if rows_of_kind:
            used = used_columns(rows_of_kind)
            tables.append(
                [[name for name, _ in used], *([show(row) for _, show in used] for row in rows_of_kind)]
            )
    return tables


def _escaped(cell: str) -> str:
    return " ".join(cell.replace("|", r"\|").split())
