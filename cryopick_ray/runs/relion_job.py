"""A run as an external job of RELION, in RELION's job folder and with the output nodes it expects."""

import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

from cryopick_ray.engine.events import Events
from cryopick_ray.errors import MicrographError, PicksError
from cryopick_ray.formats.coordinates import picked
from cryopick_ray.formats.export_paths import without_extension
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.star import write_star
from cryopick_ray.formats.star_text import loop, quoted
from cryopick_ray.micrographs.sources import relion_name
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.pipeline import pick_all
from cryopick_ray.runs.results.summary import Summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import load_settings, rooted
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.find_diameter import kept_diameter
from cryopick_ray.store.publish import published, write_whole

RUN = "cryopick"
"""Subfolder of the run in the job's folder."""
SUCCESS, FAILURE, ABORTED = (f"RELION_JOB_EXIT_{how}" for how in ("SUCCESS", "FAILURE", "ABORTED"))
ABORT_NOW = "RELION_JOB_ABORT_NOW"
LOOK_SECONDS = 0.5
"""Poll interval for ``ABORT_NOW``."""
NODES = ("rlnPipeLineNodeName", "rlnPipeLineNodeTypeLabel", "rlnPipeLineNodeType")
COORDINATES = "MicrographCoordsGroup.star.relion.autopick 2"
"""Node type of picked coordinates: a label since RELION 4, a number before."""
SUMMARY = ("rlnMicrographName", "rlnAutopickFigureOfMerit", "rlnGroupNrParticles")
HEAD_BYTES = 4096
"""Bytes at the start of ``job.star``, which hold the job's type."""
_TO_JOB = re.compile(r"^.*?/job\d{3,}/")
"""Prefix that RELION removes from a micrograph's name to name files that belong to it."""


class Aborted(KeyboardInterrupt):
    """RELION requested the end of the job."""


class RelionJob:
    """A RELION job folder such as ``External/job007/``; the working folder is the project.

    Parameters
    ----------
    path
        The job folder; created if RELION has not done so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @contextmanager
    def exit_status(self) -> Iterator[None]:
        """Write RELION's exit-status file when the block ends, and abort the block on RELION's request.

        Raises
        ------
        Aborted
            In the block, which must run in the main thread, once there is a file ``RELION_JOB_ABORT_NOW``.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for name in (SUCCESS, FAILURE, ABORTED):
            (self.path / name).unlink(missing_ok=True)
        ending = FAILURE
        try:
            with _aborted_by(self.path / ABORT_NOW):
                yield
            ending = SUCCESS
        except Aborted:
            (self.path / ABORT_NOW).unlink(missing_ok=True)
            ending = ABORTED
            raise
        finally:
            write_whole(self.path / ending, "")

    def pick(self, listed: str, values: dict[str, Any], engine: EngineSettings, events: Events) -> Summary:
        """Start or continue the job's run; write the output nodes that RELION expects.

        Parameters
        ----------
        listed
            The input STAR file of the job.
        values
            All settings as plain data, also on resuming; an estimated diameter is kept.

        Raises
        ------
        UsageError
            If a setting cannot be used, or would change what the run has picked.
        MicrographError
            If no micrograph could be picked.
        """
        folder = RunFolder(self.path / RUN)
        settings = rooted(load_settings({**values, "inputs": [listed], "relion_project": "."}, events.note))
        resume = folder.config.is_file()
        if resume and settings.diameter_A is None and (found := kept_diameter(folder.diameter)):
            settings = settings.model_copy(update={"diameter_A": found.diameter_A})
        summary = pick_all(settings, engine, folder, resume=resume, events=events)
        if not summary.complete:
            first = "; ".join(": ".join(failure) for failure in summary.failures[:1])
            raise MicrographError(f"none of {len(summary.failures)} micrographs could be picked; {first}")
        self._publish(folder, folder.settings(), listed)
        return summary

    def _publish(self, folder: RunFolder, settings: RunSettings, listed: str) -> None:
        """Write coordinates, counts, report and, last, the list of output nodes to the job's folder."""
        table, project = PickTable(folder.table), folder.relion_project(settings)
        files = coordinate_files(table.micrographs)
        # the run's own warnings hold its notes
        export_settings = ExportSettings(project, settings.optics.completed)
        whole = (picks.whole() for picks in picked(table))  # RELION cuts fractions off
        write_star(whole, self.path, export_settings, file_of=files.__getitem__)
        with published(self.path / "summary.star") as file:
            file.write(loop("summary", SUMMARY))
            for picks in picked(table):
                with suppress(PicksError):  # names that no STAR file can hold are in the warnings
                    name = quoted(picks.micrograph.relion_name)
                    mean = float(picks.score.mean()) if len(picks.score) else 0.0
                    if picks.micrograph.status == "complete":
                        file.write(f"{name} {mean:.6f} {len(picks.score)}\n")
        write_whole(self.path / "report.html", folder.report.read_bytes())
        nodes = ["autopick.star"]
        if self._is_relion_3():  # it finds coordinates by the suffix in this file's name
            nodes.append("coords_suffix_autopick.star")
            write_whole(self.path / nodes[-1], f"{listed}\n")
        with published(self.path / "RELION_OUTPUT_NODES.star") as file:
            file.write(loop("output_nodes", NODES))
            for node in nodes:
                file.write(f"{quoted(relion_name(self.path / node, project))} {COORDINATES}\n")

    def _is_relion_3(self) -> bool:
        try:
            with (self.path / "job.star").open("rb") as file:
                return b"_rlnJobTypeLabel" not in file.read(HEAD_BYTES)
        except FileNotFoundError:
            return False


def coordinate_files(micrographs: Sequence[PickedMicrograph]) -> dict[str, str]:
    """Return the coordinate file of each picked micrograph, relative to the job folder, by id.

    As RELION names them: of ``MotionCorr/job002/Movies/a.mrc`` it is ``Movies/a_autopick.star``. Where two
    would share a name, they are named by their ids.
    """
    files = {
        micrograph.micrograph_id: _as_relion(micrograph.relion_name)
        for micrograph in micrographs
        if micrograph.status == "complete"
    }
    shared = Counter(files.values())
    return {name: f"star/{name}.star" if shared[file] > 1 else str(file) for name, file in files.items()}


def _as_relion(name: str) -> PurePosixPath:
    parts = [part for part in _TO_JOB.sub("", name).split("/") if part not in ("", ".", "..")]
    file = without_extension("/".join(parts))
    return file.with_name(f"{file.name}_autopick.star")


@contextmanager
def _aborted_by(file: Path) -> Iterator[None]:
    """Raise :class:`Aborted` in the block, like an interrupt, once ``file`` exists."""

    def abort(number: int, frame: FrameType | None) -> None:
        raise Aborted("what is done is kept, and RELION's Continue goes on with it")

    def look() -> None:
        while not is_over.wait(LOOK_SECONDS):
            if file.exists():
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                return

    before = signal.signal(signal.SIGUSR1, abort)
    is_over = threading.Event()
    thread = threading.Thread(target=look, name="abort")
    thread.start()
    try:
        try:
            yield
        finally:
            is_over.set()
            thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
