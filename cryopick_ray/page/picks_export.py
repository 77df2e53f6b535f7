"""Export of a page's picks to another program's format, with decisions and the page's cut applied."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryopick_ray.errors import CryoPickError, UsageError
from cryopick_ray.page.background_jobs import BackgroundJob
from cryopick_ray.page.page_cut import PageCut
from cryopick_ray.page.pick_sources import ShownPicks
from cryopick_ray.page.shared_decisions import SharedDecisions
from cryopick_ray.picks.part import no_picks
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.store.publish import check_folder
from cryopick_ray.units import Optics

AT_ONCE = 256
STAR = "star"


@dataclass(frozen=True)
class PicksExport:
    """An export: format, cut and folder.

    Attributes
    ----------
    relion_project, optics
        Those of the run.
    """

    format: str
    cut: PageCut
    out: Path
    relion_project: Path | None = None
    optics: Optics = field(default_factory=Optics)

    def __call__(
        self,
        source: ShownPicks,
        micrographs: Sequence[PickedMicrograph],
        decisions: SharedDecisions,
        diameter_A: float,
        job: BackgroundJob,
    ) -> None:
        """Write the picks of all micrographs; report to the job."""
        from cryopick_ray.formats.format import ExportSettings
        from cryopick_ray.formats.format_table import export
        from cryopick_ray.runs.results.relion_files import in_star

        picks = micrographs_done = 0

        def counted() -> Iterator[MicrographPicks]:
            nonlocal picks, micrographs_done
            for micrograph_picks in _curated(source, micrographs, decisions, diameter_A):
                if job.stopped.is_set():
                    raise CryoPickError("stopped")
                cut_picks = self.cut(micrograph_picks)
                if self.format == STAR:
                    cut_picks = in_star(cut_picks)
                picks += int(cut_picks.picked.sum())
                micrographs_done += 1
                yield cut_picks

        export_settings = ExportSettings(self.relion_project, self.optics, say=job.say)
        try:
            export(counted(), self.format, self.out, export_settings)
        except BaseException:
            shutil.rmtree(self.out, ignore_errors=True)  # no half-written exports
            raise
        job.say(f"{picks} picks of {micrographs_done} micrographs in {self.out}")


def check_written(format: str) -> None:
    """Refuse a format that is not written.

    Raises
    ------
    UsageError
        If the format is unknown or not writable.
    """
    from cryopick_ray.formats.format_table import WRITTEN

    if format not in WRITTEN:
        raise UsageError(f"format is {format!r}, expected one of {', '.join(WRITTEN)}")


def new_folder(beside: Path, name: str, kind: str) -> Path:
    """Create and return a new folder below ``name``.

    Raises
    ------
    UsageError
        If a link is in its way.
    """
    check_folder(beside / name)
    out = beside / name / f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    out.mkdir(parents=True)
    return out


def _curated(
    source: ShownPicks, micrographs: Sequence[PickedMicrograph], decisions: SharedDecisions, diameter_A: float
) -> Iterator[MicrographPicks]:
    """Yield the picks of all micrographs in table order, decisions applied."""
    ordered = sorted(micrographs, key=lambda micrograph: (micrograph.dataset, micrograph.micrograph_id))
    for start in range(0, len(ordered), AT_ONCE):
        batch = ordered[start : start + AT_ONCE]
        picks_by_id = source.some(batch)
        for micrograph in batch:
            yield decisions.curated(
                picks_by_id.get(micrograph.micrograph_id) or no_picks(micrograph, diameter_A)
            )
