"""The RELION project that micrographs belong to."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

PIPELINE, JOB = "default_pipeline.star", re.compile(r"job[0-9]{3,}")
JOB_FILES = ("job.star", "run.job", "job_pipeline.star")
JOB_TYPES = {
    *("Import", "MotionCorr", "CtfFind", "ManualPick", "AutoPick", "Select", "Extract", "External"),
    *("JoinStar", "Class2D", "Class3D", "InitialModel", "Refine3D", "CtfRefine", "Polish", "Subtract"),
}


def project_of(inputs: Sequence[str], given: Path | None = None) -> Path:
    """Return the folder that RELION runs in: the given one, else the first project that an INPUT lies in.

    A project is the nearest folder above with RELION's pipeline, or that above the folders of a job
    (``MotionCorr/job002``); without one it is the working folder.
    """
    if given is not None:
        return Path(os.path.abspath(given))
    found = (found_above(Path(os.path.abspath(text))) for text in inputs if not _is_elsewhere(text))
    return next((project for project in found if project is not None), Path.cwd())


def found_above(path: Path) -> Path | None:
    """Return the RELION project that a file or folder lies in; ``None`` if in none."""
    for folder in (path, *path.parents):
        if is_job(folder):
            return folder.parent.parent
        if (folder / PIPELINE).is_file():
            return folder
    return None


def is_job(folder: Path) -> bool:
    """Tell whether a folder is one of RELION's jobs, which may hold a copy of the pipeline."""
    return JOB.fullmatch(folder.name) is not None and (
        folder.parent.name in JOB_TYPES or any((folder / name).is_file() for name in JOB_FILES)
    )


def _is_elsewhere(text: str) -> bool:
    return "://" in text or text.startswith("empiar:")
