"""``cryopick ctf``: CTF fits of micrographs, and those that failed or are doubtful."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.stage import StagePart, run_stage
from cryopick_ray.engine.unit_rules import split_units, unit_size
from cryopick_ray.errors import UsageError
from cryopick_ray.formats.relion.micrographs import micrographs_star
from cryopick_ray.formats.relion.particle_optics import guessed_optics
from cryopick_ray.micrographs.ctf.ctf_settings import CtfSettings
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.settings.microscope_settings import MicroscopeSettings
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.ctf_worker import CtfWorker, FittedMicrograph
from cryopick_ray.stages.ingest import probe
from cryopick_ray.store.publish import below, write_whole

STAR, FACTS = "micrographs_ctf.star", "ctf.json"


@dataclass(frozen=True)
class CtfResult:
    """CTF fits and failures, in the order of the inputs.

    Attributes
    ----------
    fitted
        Micrographs with a fitted defocus, doubtful or not.
    failures
        Ids and reasons of the failed ones.
    """

    fitted: tuple[FittedMicrograph, ...]
    failures: tuple[tuple[str, str], ...]

    @property
    def sure(self) -> list[FittedMicrograph]:
        """Fits without doubts."""
        return [fit for fit in self.fitted if not fit.fit.doubts]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: fits and doubts of all micrographs."""
        micrographs = [
            {
                "micrograph_id": fitted.source.micrograph_id,
                "relion_name": fitted.source.relion_name,
                "status": "doubtful" if fitted.fit.doubts else "fitted",
                "pixel_size_A": fitted.pixel_size_A,
                **asdict(fitted.optics),
                **asdict(fitted.fit),
            }
            for fitted in self.fitted
        ]
        failed = [
            {"micrograph_id": name, "status": "failed", "reason": reason} for name, reason in self.failures
        ]
        return {"micrographs": [*micrographs, *failed]}


def fit_all(
    sources: Sequence[MicrographSource],
    settings: IngestSettings,
    microscope: MicroscopeSettings,
    ctf: CtfSettings,
    engine: Engine,
    events: Events,
) -> CtfResult:
    """Fit the CTF of micrographs on the engine's workers; results do not depend on their number.

    Parameters
    ----------
    settings
        How micrographs are read, and the threads of one worker.
    microscope
        Microscope settings, used where neither a list nor a sidecar has them.
    ctf
        Search range of the defocus.

    Raises
    ------
    UsageError
        If there are movies among them.
    PixelSizeError
        If a pixel size is missing or not credible.
    """
    if movie := next((source for source in sources if source.kind == "movie"), None):
        raise UsageError(
            f"{movie.micrograph_id} is a movie, whose CTF is that of its average: average movies first "
            "(`cryopick ingest`) and give the averages as `inputs`"
        )
    probe(sources, settings)
    units = split_units(sources, unit_size(len(sources)))
    part = StagePart(units, partial(CtfWorker, settings, microscope.completed, ctf))
    fitted: dict[str, FittedMicrograph] = {}
    failures: dict[str, str] = {}
    with closing(run_stage("ctf", {"": part}, engine, events)) as reports:
        for _, report in reports:
            fitted |= {result.source.micrograph_id: result for result in report.made}
            failures |= dict(report.failures)
    names = [source.micrograph_id for source in sources]
    return CtfResult(
        tuple(fitted[name] for name in names if name in fitted),
        tuple((name, failures[name]) for name in names if name in failures and name not in fitted),
    )


def write_ctf(result: CtfResult, out: Path, microscope: MicroscopeSettings, events: Events) -> None:
    """Write RELION's STAR list of the micrographs without doubts, and a JSON file of all fits.

    Raises
    ------
    UsageError
        If one of the paths exists and is not a file.
    PicksError
        If a micrograph's name cannot be written into a STAR file.
    """
    rows = [(_row(fitted), fitted.fit) for fitted in result.sure]
    if guess := guessed_optics(map(_row, result.fitted), microscope, STAR):
        events.warn(guess)
    write_whole(below(out, FACTS), json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n")
    write_whole(below(out, STAR), micrographs_star(rows, microscope.completed, events.warn))


def _row(fitted: FittedMicrograph) -> PickedMicrograph:
    source = fitted.source
    return PickedMicrograph(
        micrograph_id=source.micrograph_id,
        dataset=source.dataset,
        relion_name=source.relion_name,
        shape=fitted.shape,
        pixel_size_A=fitted.pixel_size_A,
        optics=source.optics,
        status="complete",
        reason="",
        optics_group=source.optics_group,
        listed=source.listed,
    )
