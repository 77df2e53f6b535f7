"""A finished run, read from Python: its table, exports to other formats, its score."""

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
from cryopick_ray.formats.format_table import export as write
from cryopick_ray.formats.reading import UnclearFormatError, is_table, read_coordinates
from cryopick_ray.picks.columns import in_column_order
from cryopick_ray.picks.schema import PICKS, MicrographPicks
from cryopick_ray.picks.table import open_table, recut
from cryopick_ray.runs.run_folder import PathOrUrl, RunFolder
from cryopick_ray.store.claim import local_folder
from cryopick_ray.units import Optics

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    picks: PathOrUrl,
    truth: PathOrUrl,
    *,
    radius_A: float | None = None,
    exclude: Sequence[str] = (),
    pixel_size_A: float | None = None,
) -> Evaluation | FilamentEvaluation:
    """Score the picks of a run, a table or another program against true particles.

    Filaments are compared by length where both picks and truth are segments of filaments.

    Parameters
    ----------
    truth
        Coordinates of any format, a run or a table.
    radius_A
        Distance within which a pick is a hit; ``None``: half a diameter.
    exclude
        Globs of micrographs to leave out.
    pixel_size_A
        Pixel size of the micrographs, where ``picks`` are files without one.
    """
    truth_coordinates = read_truth(truth)
    if is_table(picks) or not Path(picks).exists():
        return _score(open_table(picks), truth_coordinates, radius_A, exclude)
    try:
        read = read_coordinates(picks)
    except UnclearFormatError as error:
        raise UsageError(f"{error}: convert it first") from error
    diameter_A = None if radius_A is None else 2 * radius_A
    picks_read = list(as_picks(read.coordinates, pixel_size_A=pixel_size_A, diameter_A=diameter_A))
    scored = _score(picks_read, truth_coordinates, radius_A, exclude)
    return replace(scored, notes=read.notes + scored.notes)


def _score(
    picks: Iterable[MicrographPicks], truth: Truth, radius_A: float | None, exclude: Sequence[str]
) -> Evaluation | FilamentEvaluation:
    """Score filaments where both inputs have them, else particles; ``picks`` are iterated twice."""
    is_filaments = has_filaments(picks)
    if is_filaments is not False and truth.has_filaments:
        return evaluate_filaments(picks, truth, radius_A=radius_A, exclude=exclude)
    scored = score_particles(picks, truth, radius_A=radius_A, exclude=exclude)
    if is_filaments:
        note = f"{truth.source} does not say which filaments its rows are of: segments count as particles"
        return replace(scored, notes=(*scored.notes, note))
    return scored


@dataclass(frozen=True)
class ExportResult:
    """Counts of exported micrographs (with or without picks), picks and files; ``notes`` lists guesses."""

    micrographs: int
    picks: int
    files: int
    notes: tuple[str, ...] = ()


def export(
    run: PathOrUrl,
    format: str,
    out: PathOrUrl,
    *,
    threshold: float | None = None,
    box_px: int | None = None,
    relion_project: Path | None = None,
    whole_px: bool = False,
    like: Path | None = None,
) -> ExportResult:
    """Write the picks of a run or a table in another program's format.

    Parameters
    ----------
    format
        One of :data:`cryopick_ray.formats.format_table.WRITTEN`.
    out
        Folder to write into.
    threshold
        Score threshold in place of the table's.
    box_px
        Side of a box; ``None`` for 1.5 diameters.
    relion_project
        RELION project folder; ``None``: that of the run.
    whole_px
        Whether coordinates are rounded to whole pixels.
    like
        Picks or exposures (``.cs``, ``.csg``) of the CryoSPARC project that the ``cs`` export is for.

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
    export_settings = ExportSettings(project, optics, box_px, whole_px=whole_px, like=like, say=notes.append)
    target, counts = local_folder(str(out)), _Counted(table if threshold is None else recut(table, threshold))
    before = _stamps(target)
    write(counts, format, target, export_settings)
    written = [path for path, stamp in _stamps(target).items() if before.get(path) != stamp]
    return ExportResult(counts.micrographs, counts.picks, len(written), tuple(notes))


def read_table(run: PathOrUrl) -> "pd.DataFrame":
    """Return the table of all candidates of a run, or of a table, one row each.

    Columns are ``dataset``, ``micrograph_id``, ``x_px``, ``y_px``, ``score``, ``diameter_A``, ``model``,
    ``picked``, ``unpicked`` (the reasons why it is not picked) and ``junk`` (the kind that it lies on, empty
    for clear ice); ``x_px`` and ``y_px`` are in pixels of the micrograph, 0.0 at the first pixel's centre.
    Optional columns follow, such as ``size_A``
    (:data:`~cryopick_ray.picks.columns.COLUMNS`); NaN or ``None`` where unknown.

    Raises
    ------
    PicksError
        If there is no table.
    """
    import pyarrow as pa

    parts = [PICKS.empty_table(), *open_table(run).parts()]
    rows = pa.concat_tables(parts, promote_options="permissive")  # not all parts have all optional columns
    frame: pd.DataFrame = rows.select([*PICKS.names, *in_column_order(rows.column_names)]).to_pandas()
    return frame


class _Counted:
    """Iterates over micrographs and counts them and their picks."""

    def __init__(self, table: Iterable[MicrographPicks]) -> None:
        self._table, self.micrographs, self.picks = table, 0, 0

    def __iter__(self) -> Iterator[MicrographPicks]:
        for picks in self._table:
            self.micrographs += picks.micrograph.status == "complete"
            self.picks += int(picks.picked.sum())
            yield picks


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return inode and modification time of each file below a folder."""
    files = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in files}
