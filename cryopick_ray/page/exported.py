"""The picks of a page as files of another program: as people decided, cut as the page has it."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryopick_ray.errors import CryoPickError, UsageError
from cryopick_ray.page.background_jobs import BackgroundJob
from cryopick_ray.page.cut import Cut
from cryopick_ray.page.judgement import Judgement
from cryopick_ray.page.pick_sources import ShownPicks
from cryopick_ray.picks.part import no_picks
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.store.publish import check_folder
from cryopick_ray.units import Optics

AT_ONCE = 256
STAR = "star"


@dataclass(frozen=True)
class Export:
    """What is written, and how.

    Attributes
    ----------
    relion_project, optics
        As a run has them.
    """

    format: str
    cut: Cut
    out: Path
    relion_project: Path | None = None
    optics: Optics = field(default_factory=Optics)

    def __call__(
        self,
        source: ShownPicks,
        micrographs: Sequence[PickedMicrograph],
        judgement: Judgement,
        diameter_A: float,
        job: BackgroundJob,
    ) -> None:
        """Write the picks of all micrographs; the job hears what came of it."""
        from cryopick_ray.formats.format import ExportSettings
        from cryopick_ray.formats.formats import export
        from cryopick_ray.runs.relion_files import in_star

        picks = micrographs_done = 0

        def counted() -> Iterator[MicrographPicks]:
            nonlocal picks, micrographs_done
            for one in _curated(source, micrographs, judgement, diameter_A):
                if job.stopped.is_set():
                    raise CryoPickError("stopped")
                made = self.cut(one)
                if self.format == STAR:
                    made = in_star(made)
                picks += int(made.picked.sum())
                micrographs_done += 1
                yield made

        given = ExportSettings(self.relion_project, self.optics, say=job.say)
        try:
            export(counted(), self.format, self.out, given)
        except BaseException:
            shutil.rmtree(self.out, ignore_errors=True)  # made for this alone; half of it helps nobody
            raise
        job.say(f"{picks} picks of {micrographs_done} micrographs in {self.out}")


def check_written(format: str) -> None:
    """Refuse a format that is not written.

    Raises
    ------
    UsageError
        Naming those that are.
    """
    from cryopick_ray.formats.formats import WRITTEN

    if format not in WRITTEN:
        raise UsageError(f"format is {format!r}, expected one of {', '.join(WRITTEN)}")


def new_folder(beside: Path, name: str, kind: str) -> Path:
    """Return a folder that nothing has been written into, below ``name``, made now.

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
    source: ShownPicks, micrographs: Sequence[PickedMicrograph], judgement: Judgement, diameter_A: float
) -> Iterator[MicrographPicks]:
    """Yield all micrographs in the order of tables, as people decided."""
    ordered = sorted(micrographs, key=lambda micrograph: (micrograph.dataset, micrograph.micrograph_id))
    for start in range(0, len(ordered), AT_ONCE):
        some = ordered[start : start + AT_ONCE]
        found = source.some(some)
        for one in some:
            yield judgement.curated(found.get(one.micrograph_id) or no_picks(one, diameter_A))
