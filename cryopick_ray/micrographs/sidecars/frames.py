"""What a sidecar adds to the settings of a movie: pixel size, dose of a frame, gain reference."""

import math
from pathlib import Path

import torch

from cryopick_ray.errors import CryoPickError, brief
from cryopick_ray.micrographs.movies.correct import load_correction
from cryopick_ray.micrographs.movies.eer import EerMovie
from cryopick_ray.micrographs.movies.movie import Movie
from cryopick_ray.micrographs.movies.open_movie import STACK_SUFFIXES
from cryopick_ray.micrographs.roles import stem_of
from cryopick_ray.micrographs.sidecars.sidecar import Sidecar
from cryopick_ray.settings.run_settings import FrameSettings

SAME_DOSE = 0.05
"""Two ways of writing one dose differ by less."""
USUAL_E_A2 = 1e-3, 50.0
"""Of a frame; what is beyond has been written in another unit."""
CONVERTED = (".mrc", ".tif", ".tiff", ".gain")


def completed(frames: FrameSettings, movie: Movie, sidecar: Sidecar) -> tuple[FrameSettings, tuple[str, ...]]:
    """Return the settings with what is neither given nor said by the movie, and what to tell of it."""
    if not sidecar.called:
        return frames, ()
    notes = []
    if frames.pixel_size_A is None and movie.pixel_size_A in (None, 0, 1):
        frames = _with(frames, pixel_size_A=sidecar.pixel_size_of(movie.shape))
    has_size = bool(frames.pixel_size_A or movie.pixel_size_A)
    if frames.dose_per_frame_e_A2 is None and has_size:
        dose, text = _dose_of(movie, sidecar)
        frames = _with(frames, dose_per_frame_e_A2=dose)
        notes.append(text)
    if frames.gain is None and sidecar.gain:
        frames, text = _with_gain(frames, movie, sidecar)
        notes.append(text)
    if sidecar.turned and (frames.gain or sidecar.gain):
        notes.append(
            f"its {sidecar.called} says RotationAndFlip {sidecar.turned}, which is not applied to a gain "
            "reference: `movies.gain_rot` and `movies.gain_flip` are"
        )
    return frames, tuple(note for note in notes if note)


def _with(frames: FrameSettings, **values: object) -> FrameSettings:
    return frames.model_copy(update=values)


def _dose_of(movie: Movie, sidecar: Sidecar) -> tuple[float | None, str]:
    """Return the dose of a frame where numbers agree, and what to tell."""
    stored, grouped = movie.count, 1
    if isinstance(movie, EerMovie):
        stored, grouped = len(movie.detector_frames), movie.grouping
    each, total = sidecar.dose_per_frame_e_A2, sidecar.dose_e_A2
    if each is None and total is None:
        return None, ""
    counts = {sidecar.frames, sidecar.dosed_frames if each is not None else None} - {None}
    agree = counts == {stored} or (not counts and isinstance(movie, EerMovie))
    if each is not None and total is not None:
        agree = agree and math.isclose(each * stored, total, rel_tol=SAME_DOSE)
    dose = (each if each is not None else (total or 0) / stored) * grouped
    if agree and USUAL_E_A2[0] <= dose <= USUAL_E_A2[1]:
        return dose, f"dose of {dose:.2g} e/A2 a frame from its {sidecar.called}"
    return None, (
        f"the doses and numbers of frames in its {sidecar.called} do not fit each other or the movie: not "
        "used; give `movies.dose_per_frame_e_A2`"
    )


def _with_gain(frames: FrameSettings, movie: Movie, sidecar: Sidecar) -> tuple[FrameSettings, str]:
    """Return the settings with the gain reference that lies beside the movie, and what to tell."""
    told = f"gain reference {brief(sidecar.gain)}, which its {sidecar.called} names,"
    path = _found(movie.path, sidecar.gain)
    if path is None:
        return frames, f"{told} is not beside it in MRC, TIFF or .gain: not applied; give `movies.gain`"
    with_gain = _with(frames, gain=path)
    try:
        load_correction(movie, with_gain, torch.device("cpu"))
    except CryoPickError as error:
        return frames, f"{told} cannot be used and is not applied: {brief(error)}"
    return with_gain, f"gain reference {brief(path.name)} from its {sidecar.called}"


def _found(movie: Path, name: str) -> Path | None:
    """Return the file of a name beside a movie, as it is or converted."""
    names = [name] if name.lower().endswith((*STACK_SUFFIXES, ".gain")) else []
    names += [f"{stem_of(name)}{suffix}" for suffix in CONVERTED]
    if not name.isprintable():
        return None
    return next((movie.parent / name for name in names if (movie.parent / name).is_file()), None)
