"""``cryopick ctf``: the CTF of micrographs, and of which it is not known."""

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
from cryopick_ray.engine.unit_rules import cut, unit_size
from cryopick_ray.errors import UsageError
from cryopick_ray.formats.relion.micrographs import micrographs_star
from cryopick_ray.formats.relion.particle_optics import guessed_optics
from cryopick_ray.micrographs.ctf.ctf_settings import CtfSettings
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.settings.microscope_settings import MicroscopeSettings
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.ctf_worker import CtfWorker, Fitted
from cryopick_ray.stages.ingest import probe
from cryopick_ray.store.publish import below, write_whole

STAR, FACTS = "micrographs_ctf.star", "ctf.json"


@dataclass(frozen=True)
class CtfOutcome:
    """What became of micrographs, in the order of the INPUTs.

    Attributes
    ----------
    fitted
        Those with a defocus, doubted or not.
    failures
        Ids and reasons of the others.
    """

    fitted: tuple[Fitted, ...]
    failures: tuple[tuple[str, str], ...]

    @property
    def sure(self) -> list[Fitted]:
        """Those whose defocus nothing speaks against."""
        return [one for one in self.fitted if not one.fit.doubts]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data: numbers of all, and what is doubted."""
        micrographs = [
            {
                "micrograph_id": one.source.micrograph_id,
                "relion_name": one.source.relion_name,
                "status": "doubtful" if one.fit.doubts else "fitted",
                "pixel_size_A": one.pixel_size_A,
                **asdict(one.optics),
                **asdict(one.fit),
            }
            for one in self.fitted
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
) -> CtfOutcome:
    """Fit the CTF of micrographs on the engine's workers; any number of them finds the same.

    Parameters
    ----------
    settings
        How micrographs are read, and the threads of one worker.
    microscope
        As far as neither a list nor a sidecar says it.
    ctf
        Where defocus is looked for.

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
    units = cut(sources, unit_size(len(sources)))
    part = StagePart(units, partial(CtfWorker, settings, microscope.completed, ctf))
    fitted: dict[str, Fitted] = {}
    failures: dict[str, str] = {}
    with closing(run_stage("ctf", {"": part}, engine, events)) as reports:
        for _, report in reports:
            fitted |= {one.source.micrograph_id: one for one in report.made}
            failures |= dict(report.failures)
    names = [source.micrograph_id for source in sources]
    return CtfOutcome(
        tuple(fitted[name] for name in names if name in fitted),
        tuple((name, failures[name]) for name in names if name in failures and name not in fitted),
    )


def write_ctf(outcome: CtfOutcome, out: Path, microscope: MicroscopeSettings, events: Events) -> None:
    """Write the list of RELION, of what is sure alone, and the facts of all.

    Raises
    ------
    UsageError
        If something else than a file has one of their names.
    PicksError
        If a micrograph's name cannot be written into a STAR file.
    """
    rows = [(_row(one), one.fit) for one in outcome.sure]
    if guess := guessed_optics(map(_row, outcome.fitted), microscope, STAR):
        events.warn(guess)
    write_whole(below(out, FACTS), json.dumps(outcome.to_dict(), indent=1, allow_nan=False) + "\n")
    write_whole(below(out, STAR), micrographs_star(rows, microscope.completed, events.warn))


def _row(fitted: Fitted) -> PickedMicrograph:
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
