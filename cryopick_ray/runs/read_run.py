"""What a run found, as a program reads it: its table, its files for other programs, its score."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.evaluate import Evaluation
from cryopick_ray.evaluation.evaluate import evaluate as score_particles
from cryopick_ray.evaluation.external_picks import as_picks
from cryopick_ray.evaluation.filament_evaluation import FilamentEvaluation, evaluate_filaments, has_filaments
from cryopick_ray.evaluation.truth import Truth, read_truth
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import export as write
from cryopick_ray.formats.reading import UnclearFormatError, is_table, read_coordinates
from cryopick_ray.picks.columns import among
from cryopick_ray.picks.schema import PICKS, MicrographPicks
from cryopick_ray.picks.table import open_table, recut
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.store.claim import local_folder
from cryopick_ray.units import Optics

if TYPE_CHECKING:
    import pandas as pd

Where = str | Path
"""A folder, or a bucket's URL."""


def evaluate(
    picks: Where,
    truth: Where,
    *,
    radius_A: float | None = None,
    exclude: Sequence[str] = (),
    pixel_size_A: float | None = None,
) -> Evaluation | FilamentEvaluation:
    """Score the picks of a run or a table, or coordinates of any program, against true particles.

    Where picks and truth are segments of filaments, these are compared, by length.

    Parameters
    ----------
    truth
        Coordinates of any format, a run or a table.
    radius_A
        A pick this near is a hit; ``None`` for half a diameter.
    exclude
        Globs of micrographs to leave out.
    pixel_size_A
        Of the micrographs, where ``picks`` are files that do not say.
    """
    known = read_truth(truth)
    if is_table(picks) or not Path(picks).exists():
        return _score(open_table(picks), known, radius_A, exclude)
    try:
        found = read_coordinates(picks)
    except UnclearFormatError as error:
        raise UsageError(f"{error}: convert it first") from error
    diameter_A = None if radius_A is None else 2 * radius_A
    given = list(as_picks(found.coordinates, pixel_size_A=pixel_size_A, diameter_A=diameter_A))
    outcome = _score(given, known, radius_A, exclude)
    return replace(outcome, notes=found.notes + outcome.notes)


def _score(
    picks: Iterable[MicrographPicks], truth: Truth, radius_A: float | None, exclude: Sequence[str]
) -> Evaluation | FilamentEvaluation:
    """Compare filaments where both have them, else particles; ``picks`` are gone through twice."""
    is_filaments = has_filaments(picks)
    if is_filaments is not False and truth.has_filaments:
        return evaluate_filaments(picks, truth, radius_A=radius_A, exclude=exclude)
    outcome = score_particles(picks, truth, radius_A=radius_A, exclude=exclude)
    if is_filaments:
        untold = f"{truth.source} does not say which filaments its rows are of: segments count as particles"
        return replace(outcome, notes=(*outcome.notes, untold))
    return outcome


@dataclass(frozen=True)
class Exported:
    """What was written: micrographs, with picks or without, their picks, and files; and what was made up."""

    micrographs: int
    picks: int
    files: int
    notes: tuple[str, ...] = ()


def export(
    run: Where,
    format: str,
    out: Where,
    *,
    threshold: float | None = None,
    box_px: int | None = None,
    relion_project: Path | None = None,
    whole_px: bool = False,
    like: Path | None = None,
) -> Exported:
    """Write the picks of a run or a table in another program's format.

    Parameters
    ----------
    format
        One of :data:`cryopick_ray.formats.formats.WRITTEN`.
    out
        Folder to write into.
    threshold
        Another cut than the table's.
    box_px
        Side of a box; ``None`` for 1.5 diameters.
    relion_project
        Folder RELION runs in; ``None`` for the run's.
    whole_px
        Whether places are rounded to whole pixels.
    like
        Picks or exposures (``.cs``, ``.csg``) of the CryoSPARC project that ``cs`` is to fit in.

    Raises
    ------
    UsageError
        If the format is unknown.
    """
    notes: list[str] = []
    table, folder = open_table(run), RunFolder(run)
    settings = folder.settings() if folder.config.is_file() else None
    project = relion_project or (settings.project if settings else None)
    optics = settings.optics.completed if settings else Optics()
    given = ExportSettings(project, optics, box_px, whole_px=whole_px, like=like, say=notes.append)
    target, counts = local_folder(str(out)), _Counted(table if threshold is None else recut(table, threshold))
    before = _stamps(target)
    write(counts, format, target, given)
    written = [path for path, stamp in _stamps(target).items() if before.get(path) != stamp]
    return Exported(counts.micrographs, counts.picks, len(written), tuple(notes))


def read_table(run: Where) -> "pd.DataFrame":
    """Return the table of all candidates of a run, or of a table, one row each.

    Columns are ``dataset``, ``micrograph_id``, ``x_px``, ``y_px``, ``score``, ``diameter_A``, ``model``,
    ``picked``, ``unpicked``, which says why it is not picked, and ``junk``, which is what it lies on, empty
    for clear ice; ``x_px`` and ``y_px`` are in pixels of the micrograph, 0.0 at the centre of the first.
    What else is known of any follows, such as ``size_A``
    (:data:`~cryopick_ray.picks.columns.COLUMNS`); NaN or ``None`` where it is not.

    Raises
    ------
    PicksError
        If there is no table.
    """
    import pyarrow as pa

    parts = [PICKS.empty_table(), *open_table(run).parts()]
    rows = pa.concat_tables(parts, promote_options="permissive")  # not all parts have all optional columns
    frame: pd.DataFrame = rows.select([*PICKS.names, *among(rows.column_names)]).to_pandas()
    return frame


class _Counted:
    """Micrographs as they pass, counted."""

    def __init__(self, table: Iterable[MicrographPicks]) -> None:
        self._table, self.micrographs, self.picks = table, 0, 0

    def __iter__(self) -> Iterator[MicrographPicks]:
        for one in self._table:
            self.micrographs += one.micrograph.status == "complete"
            self.picks += int(one.picked.sum())
            yield one


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return when each file below a folder was written."""
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found}
