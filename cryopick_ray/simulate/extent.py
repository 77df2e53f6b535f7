"""Partial coverage of a micrograph: all of it, or one side with a winding border."""

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate.field import FieldOfView, smooth_noise

WINDING = 0.1  # how far the border strays, as a fraction of the picture, root mean square
SOFT = 0.1  # width of the border, likewise


def extent(rng: np.random.Generator, view: FieldOfView, share: float) -> NDArray[np.float32]:
    """Return ``(h, w)`` float32 from 0 outside to 1 inside a part of about ``share`` of the picture."""
    if share >= 1:
        return np.ones(view.shape, dtype=np.float32)
    y_A, x_A = whole(view)
    height_A, width_A = view.size_A
    angle = rng.uniform(0, 2 * np.pi)
    wide_A = abs(np.cos(angle)) * width_A + abs(np.sin(angle)) * height_A
    across: NDArray[np.float32] = ((y_A - height_A / 2) * (np.sin(angle) / wide_A)).astype(np.float32)[
        :, None
    ] + ((x_A - width_A / 2) * (np.cos(angle) / wide_A)).astype(np.float32)
    side_A = max(view.size_A)
    across += np.float32(WINDING) * smooth_noise(rng, y_A, x_A, (0.0, 0.0, side_A), side_A / 4)
    across -= np.float32(share - 0.5)
    across *= np.float32(-1 / SOFT)
    across += np.float32(0.5)
    return np.clip(across, 0, 1, out=across)


def whole(view: FieldOfView) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the positions of all rows and of all columns in angstroms."""
    return view.positions_A(slice(None), 0), view.positions_A(slice(None), 1)


def all_over(rng: np.random.Generator, view: FieldOfView, step_A: float) -> NDArray[np.float32]:
    """Return smooth noise over the whole picture, see :func:`~.field.smooth_noise`."""
    y_A, x_A = whole(view)
    return smooth_noise(rng, y_A, x_A, (0.0, 0.0, max(view.size_A)), step_A)
