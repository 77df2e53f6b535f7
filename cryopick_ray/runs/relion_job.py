"""A run as a job of RELION: in a folder of its own making, with results where RELION looks for them."""

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
from cryopick_ray.runs.results import Summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import load_settings, rooted
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.find_diameter import kept_diameter
from cryopick_ray.store.publish import published, write_whole

RUN = "cryopick"
"""Where the run lies in the job's folder."""
SUCCESS, FAILURE, ABORTED = (f"RELION_JOB_EXIT_{how}" for how in ("SUCCESS", "FAILURE", "ABORTED"))
ABORT_NOW = "RELION_JOB_ABORT_NOW"
LOOK_SECONDS = 0.5
"""Between two looks for ``ABORT_NOW``."""
NODES = ("rlnPipeLineNodeName", "rlnPipeLineNodeTypeLabel", "rlnPipeLineNodeType")
COORDINATES = "MicrographCoordsGroup.star.relion.autopick 2"
"""The type of such a node: a label since RELION 4, a number before."""
SUMMARY = ("rlnMicrographName", "rlnAutopickFigureOfMerit", "rlnGroupNrParticles")
HEAD_BYTES = 4096
"""Of ``job.star``, where it tells what kind of job it is."""
_TO_JOB = re.compile(r"^.*?/job\d{3,}/")
"""What RELION takes off a micrograph's name for those of files that belong to it."""


class Aborted(KeyboardInterrupt):
    """RELION asked for the job's end."""


class RelionJob:
    """The folder of a job, ``External/job007/``, of the project that is the working folder.

    Parameters
    ----------
    path
        The folder; made if RELION has not made it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell RELION how the block ends, and end it if RELION asks for that.

        Raises
        ------
        Aborted
            In the block, which must run in the main thread, once there is a file ``RELION_JOB_ABORT_NOW``.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for name in (SUCCESS, FAILURE, ABORTED):
            (self.path / name).unlink(missing_ok=True)
        how = FAILURE
        try:
            with _aborted_by(self.path / ABORT_NOW):
                yield
            how = SUCCESS
        except Aborted:
            (self.path / ABORT_NOW).unlink(missing_ok=True)
            how = ABORTED
            raise
        finally:
            write_whole(self.path / how, "")

    def pick(self, listed: str, given: dict[str, Any], engine: EngineSettings, events: Events) -> Summary:
        """Begin the job's run, or go on with the one it holds; leave what RELION looks for.

        Parameters
        ----------
        listed
            The STAR file that the job is about.
        given
            Plain settings: all of them, also of a run that goes on, but for a diameter that was estimated.

        Raises
        ------
        UsageError
            If a setting cannot be used, or would change what the run has picked.
        MicrographError
            If no micrograph could be picked.
        """
        folder = RunFolder(self.path / RUN)
        settings = rooted(load_settings({**given, "inputs": [listed], "relion_project": "."}, events.note))
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
        """Leave coordinates, counts, report and, at last, the list of nodes in the job's folder."""
        table, project = PickTable(folder.table), folder.relion_project(settings)
        files = coordinate_files(table.micrographs)
        # what it tells is in the run's own warnings
        given = ExportSettings(project, settings.optics.completed)
        whole = (one.whole() for one in picked(table))  # RELION cuts fractions off
        write_star(whole, self.path, given, file_of=files.__getitem__)
        with published(self.path / "summary.star") as file:
            file.write(loop("summary", SUMMARY))
            for one in picked(table):
                with suppress(PicksError):  # of a name that no STAR file can hold, which is told
                    name = quoted(one.micrograph.relion_name)
                    mean = float(one.score.mean()) if len(one.score) else 0.0
                    if one.micrograph.status == "complete":
                        file.write(f"{name} {mean:.6f} {len(one.score)}\n")
        write_whole(self.path / "report.html", folder.report.read_bytes())
        nodes = ["autopick.star"]
        if self._is_relion_3():  # which looks for coordinates by the ending that such a file's name tells
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
    """Return the coordinate file of each picked micrograph below its job, by id.

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
    """Raise :class:`Aborted` in the block, as an interrupt would be, once there is a file."""

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
