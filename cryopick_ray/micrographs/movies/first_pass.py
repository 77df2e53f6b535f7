"""The first pass over a movie: how its frames moved, which pixels are hot, whether the gain fits."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from torch import Tensor

from cryopick_ray.micrographs.movies.align import ImageStack, estimate_motion
from cryopick_ray.micrographs.movies.correct import Correction, mending
from cryopick_ray.micrographs.movies.defects import find_deviants
from cryopick_ray.micrographs.movies.gain import combined, misorientation
from cryopick_ray.micrographs.movies.movie import Movie, read_frames
from cryopick_ray.settings.run_settings import MovieSettings

ALIGNED_SIDE_PX = 1024
"""Short side that frames are binned to, at least, to be aligned."""
GROUP_DOSE_E_A2 = 1.0
MOST_GROUPS = 128
LOST_PX = 1.0
"""Standard deviation of a path, in pixels of the images that are aligned, from which on it is not used: of
noise alone it is several to tens of pixels, of frames that show enough some tenths at most."""
MANY_DEVIANTS = 0.01  # of all pixels


@dataclass(frozen=True, eq=False)
class FirstPass:
    """What is known of a movie's frames after they were read once.

    Attributes
    ----------
    shifts_px
        ``(n, 2)`` x and y of each frame's content, in pixels of the frames; of mean 0.
    deviants
        ``(h, w)`` mask of hot and dead pixels.
    warnings
        What is suspicious.
    """

    shifts_px: NDArray[np.float64]
    deviants: NDArray[np.bool_]
    warnings: tuple[str, ...]


def first_pass(movie: Movie, wanted: range, correction: Correction, settings: MovieSettings) -> FirstPass:
    """Read frames once, keeping their sum and small ones to align.

    Raises
    ------
    MicrographError
        A frame cannot be read.
    """
    edges = group_edges(len(wanted), settings)
    binning = max(1, min(movie.shape) // ALIGNED_SIDE_PX)
    small_shape = movie.shape[0] // binning, movie.shape[1] // binning
    images = ImageStack(len(edges) - 1 if settings.align else 0, small_shape, correction.device)
    mean = _read(movie, wanted, correction, edges, images, binning)
    deviants, warnings = _judge(mean, correction, settings)
    shifts_px = np.zeros((len(wanted), 2))
    if len(images) > 1:
        mend = mending(_any_in_blocks(deviants, binning), correction.device)
        for group in range(len(images)):
            mend.mended(images[group])
        found, error = estimate_motion(images, binning)
        if error < LOST_PX:
            shifts_px = _of_frames(found * binning, edges)
        else:
            warnings = (*warnings, _lost(error * binning, LOST_PX * binning))
    return FirstPass(shifts_px, deviants, warnings)


def _read(
    movie: Movie,
    wanted: range,
    correction: Correction,
    edges: NDArray[np.int64],
    images: ImageStack,
    binning: int,
) -> NDArray[np.float32]:
    """Return the ``(h, w)`` mean of uncorrected frames; add corrected ones, binned, to the groups' images."""
    total = torch.zeros(movie.shape, device=correction.device)
    for number, frame in enumerate(read_frames(movie, wanted)):
        group = int(np.searchsorted(edges, number, "right")) - 1
        for rows, raw, corrected in correction.blocks(frame, binning):
            total[rows] += raw
            if len(images):
                small = _binned(corrected, binning)
                start = rows.start // binning
                images[group][start : start + len(small)] += small
    return np.asarray(total.div_(len(wanted)).cpu())


def _binned(image: Tensor, binning: int) -> Tensor:
    """Return the means of square blocks of pixels; what is left over at the end is left out."""
    height, width = (side // binning for side in image.shape)
    whole = image[: height * binning, : width * binning]
    across = torch.full((binning,), 1 / binning**2, device=image.device)
    down = whole.reshape(height, binning, width * binning).sum(1)
    return down.reshape(height, width, binning).matmul(across)


def group_edges(count: int, settings: MovieSettings) -> NDArray[np.int64]:
    """Return the ``(g + 1,)`` first frames of groups in a row of nearly equal size, and the end."""
    size = settings.group_frames
    if size is None:
        size = max(1, round(GROUP_DOSE_E_A2 / (settings.dose_per_frame_e_A2 or GROUP_DOSE_E_A2)))
    groups = max(1, min(count // size, MOST_GROUPS))
    return np.linspace(0, count, groups + 1).round().astype(np.int64)


def _judge(
    mean: NDArray[np.float32], correction: Correction, settings: MovieSettings
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return the mask of hot and dead pixels, and what is suspicious."""
    warnings = []
    if correction.gain is not None:
        turn = misorientation(mean, correction.gain.cpu().numpy())
        if turn is not None and turn != (0, 0):
            rot, flip = combined((settings.gain_rot, settings.gain_flip), turn)
            warnings.append(
                f"the gain reference fits the frames with `movies.gain_rot` {rot} `movies.gain_flip` {flip}, "
                f"not with `movies.gain_rot` {settings.gain_rot} `movies.gain_flip` {settings.gain_flip}"
            )
    deviants = find_deviants(correction(correction.upload(mean)).cpu().numpy())
    part = np.count_nonzero(deviants) / deviants.size
    if part > MANY_DEVIANTS:
        warnings.append(
            f"{part:.1%} of the pixels differ from all their neighbours; is this the right `movies.gain`?"
        )
    return deviants, tuple(warnings)


def _lost(error_px: float, most_px: float) -> str:
    return (
        f"the frames show too little to be aligned and are summed as they are: two halves of the frequencies "
        f"leave their motion uncertain by {error_px:.1f} px, which must be below {most_px:.1f} px; "
        "a larger `movies.group_frames` may help"
    )


def _any_in_blocks(mask: NDArray[np.bool_], binning: int) -> NDArray[np.bool_]:
    height, width = (side // binning for side in mask.shape)
    whole = mask[: height * binning, : width * binning]
    return np.asarray(whole.reshape(height, binning, width, binning).any((1, 3)))


def _of_frames(shifts: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the shifts of frames from those of groups, which hold at the groups' middles."""
    middles = (edges[:-1] + edges[1:] - 1) / 2
    path = make_interp_spline(middles, shifts, k=min(3, len(shifts) - 1))(np.arange(edges[-1]))
    return np.asarray(path - path.mean(0))
