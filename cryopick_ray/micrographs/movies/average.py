"""One movie to its average: corrected, aligned, dose-weighted, summed; two passes over the file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.errors import MicrographError, PixelSizeError
from cryopick_ray.micrographs.movies.correct import Correction, load_correction
from cryopick_ray.micrographs.movies.dose import dose_weights
from cryopick_ray.micrographs.movies.first_pass import first_pass
from cryopick_ray.micrographs.movies.movie import Movie, read_frames
from cryopick_ray.micrographs.movies.open_movie import open_movie
from cryopick_ray.micrographs.movies.shift import ShiftedSum
from cryopick_ray.settings.run_settings import FrameSettings, MovieSettings
from cryopick_ray.units import Shape


@dataclass(frozen=True, eq=False)
class Average:
    """The average of a movie's frames, and how it was made.

    Attributes
    ----------
    image
        ``(h, w)`` float32: mean counts of a frame, times the gain. What moved beyond a border comes in at the
        opposite one.
    pixel_size_A
        After binning; ``None`` if unknown.
    shifts_px
        ``(n, 2)`` x and y of each frame's content relative to the average, in pixels of the average: what
        lies at ``p`` there lies at ``p + shift`` in the frame. Their mean is 0, so the average shows the
        specimen at its mean place, whichever frame comes first.
    frames
        First and last frame used, counted from 1.
    dose_weighted
        Whether frames count at each frequency by what they still tell.
    warnings
        What a person should look at.
    """

    image: NDArray[np.float32]
    pixel_size_A: float | None
    shifts_px: NDArray[np.float64]
    frames: tuple[int, int]
    dose_weighted: bool
    warnings: tuple[str, ...]


def average_movie(path: Path, settings: FrameSettings, device: torch.device | None = None) -> Average:
    """Return the average of a movie.

    Frames are read one at a time, twice: to see how they moved and which pixels are hot, and to sum them.

    Parameters
    ----------
    path
        A movie in MRC, TIFF or EER.
    device
        Where it is computed; ``None`` for the CPU. torch's number of threads is the caller's.

    Raises
    ------
    MicrographError
        The movie cannot be read or used.
    PixelSizeError
        Dose weighting is asked for and the pixel size is not known.
    UsageError
        The gain reference or the defects cannot be used.
    """
    device = device or torch.device("cpu")
    movie = open_movie(path, eer_grouping=settings.eer_grouping, eer_upsampling=settings.eer_upsampling)
    wanted = _wanted(movie, settings)
    pixel_size_A = settings.pixel_size_A or movie.pixel_size_A or None
    if settings.dose_per_frame_e_A2 is not None and pixel_size_A is None:
        raise PixelSizeError(
            "the movie does not say its pixel size, which dose weighting needs; give `pixel_size_A`"
        )
    correction = load_correction(movie, settings, device)
    seen = first_pass(movie, wanted, correction, settings)
    correction = correction.also(seen.deviants)
    shape = _binned_shape(movie.shape, settings.binning)
    if pixel_size_A is not None:
        pixel_size_A *= movie.shape[1] / shape[1]
    scale = np.array([shape[1] / movie.shape[1], shape[0] / movie.shape[0]])
    shifts_px = seen.shifts_px * scale
    image = _sum(movie, wanted, correction, shifts_px, shape, pixel_size_A, settings)
    return Average(
        image=image,
        pixel_size_A=pixel_size_A,
        shifts_px=shifts_px,
        frames=(wanted.start + 1, wanted.stop),
        dose_weighted=settings.dose_per_frame_e_A2 is not None,
        warnings=(*movie.notes, *seen.warnings),
    )


def _wanted(movie: Movie, settings: MovieSettings) -> range:
    last = settings.last_frame or movie.count
    if max(settings.first_frame, last) > movie.count:
        raise MicrographError(
            f"{movie.path.name} has {movie.count} frames, {settings.first_frame} to {last} are asked for; "
            "check `movies.first_frame` and `movies.last_frame`"
        )
    return range(settings.first_frame - 1, last)


def _binned_shape(shape: Shape, binning: float) -> Shape:
    if binning == 1:
        return shape
    return max(2, 2 * round(shape[0] / binning / 2)), max(2, 2 * round(shape[1] / binning / 2))


def _weights(
    count: int, shape: Shape, pixel_size_A: float | None, settings: FrameSettings, device: torch.device
) -> tuple[Tensor | float, Tensor | None]:
    """Return the first frame's weights and what each next one's are smaller by."""
    if settings.dose_per_frame_e_A2 is None or pixel_size_A is None:
        return 1 / count, None
    return dose_weights(shape, pixel_size_A, settings.dose_per_frame_e_A2, count, settings.voltage_kV, device)


def _sum(
    movie: Movie,
    wanted: range,
    correction: Correction,
    shifts_px: NDArray[np.float64],
    shape: Shape,
    pixel_size_A: float | None,
    settings: FrameSettings,
) -> NDArray[np.float32]:
    """Pass over the frames again and return their average in ``shape``."""
    weights = _weights(len(wanted), shape, pixel_size_A, settings, correction.device)
    total = ShiftedSum(movie.shape, shape, *weights, correction.device)
    del weights
    for frame, (x_px, y_px) in zip(read_frames(movie, wanted), shifts_px, strict=True):
        total.add(((rows, corrected) for rows, _, corrected in correction.blocks(frame)), x_px, y_px)
    image = total.image()
    if not bool(torch.isfinite(image).all()):
        raise MicrographError(f"the average of {movie.path.name} has pixels that are no numbers")
    return np.asarray(image.cpu())
