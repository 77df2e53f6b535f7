"""Cut windows out of an image, ask a network about each, lay its answers on a map."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.micrographs.preprocess import check_pixels
from cryopick_ray.pickers.peaks import find_peaks
from cryopick_ray.pickers.picker import Candidates

NORMALISATION = "z-score"
"""Each window at mean 0 and standard deviation 1, cut from a micrograph brought there before."""
FLAT = 1e-6  # standard deviation of a window without contrast; the micrograph's is 1
BATCH = 128  # windows asked at once: larger ones leave a core's cache and take up to a third longer

Ask = Callable[[Tensor], Tensor]
"""``(n, s, s)`` windows -> ``(n,)`` answers."""


def z_scored_micrograph(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an ``(h, w)`` image at mean 0 and standard deviation 1.

    Raises
    ------
    MicrographError
        If the image is constant or holds NaN or infinite values.
    """
    check_pixels(image)
    scaled = (image - image.mean(dtype=np.float64)) / image.std(dtype=np.float64)
    return np.asarray(scaled, np.float32)


def z_scored(windows: Tensor) -> Tensor:
    """Return ``(..., s, s)`` windows, each at mean 0 and standard deviation 1; a flat one is all 0."""
    std, mean = torch.std_mean(windows, (-2, -1), correction=0, keepdim=True)
    return (windows - mean) / std.clamp(min=FLAT)


class Windows:
    """All square windows of an image around places far enough from its edges.

    Window ``(i, j)`` has its middle in row ``first_px + i`` and column ``first_px + j`` of the image;
    that of an even window lies between pixels. Beyond its edges the image is mirrored.

    Parameters
    ----------
    image
        ``(h, w)`` float32.
    size_px
        Side of the windows.
    edge_px
        Middles nearer than that to an edge are left out: a particle there is cut and cannot be boxed.
    device
        Where the windows are wanted.

    Attributes
    ----------
    shape
        How many rows and columns of windows there are; 0 where the image is smaller than a particle.
    """

    def __init__(
        self, image: NDArray[np.float32], size_px: int, *, edge_px: float, device: torch.device
    ) -> None:
        margin = max(0, int(size_px / 2 - edge_px))
        padded = torch.from_numpy(np.pad(image, margin, mode="symmetric")).to(device)
        self.first_px = (size_px - 1) / 2 - margin
        self.shape = tuple(max(0, side - size_px + 1) for side in padded.shape)
        self._windows = (
            padded.unfold(0, size_px, 1).unfold(1, size_px, 1)
            if all(self.shape)
            else padded.new_empty((*self.shape, size_px, size_px))
        )

    def ask(self, rows: NDArray[np.intp], columns: NDArray[np.intp], ask: Ask) -> NDArray[np.float32]:
        """Return the answers about windows ``(rows[k], columns[k])``, in the shape of ``rows``."""
        answers = np.empty(rows.size, np.float32)
        for start in range(0, rows.size, BATCH):
            some = slice(start, start + BATCH)
            batch = self._windows[torch.from_numpy(rows.flat[some]), torch.from_numpy(columns.flat[some])]
            answers[some] = ask(batch).float().cpu().numpy()
        return answers.reshape(rows.shape)

    def grid(self, stride_px: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows and the columns of every ``stride_px``-th window, ``(gh, gw)`` each."""
        rows, columns = np.meshgrid(*(np.arange(0, count, stride_px) for count in self.shape), indexing="ij")
        return rows, columns

    def peaks(
        self, scores: NDArray[np.float32], stride_px: int, *, radius_px: float, floor: float
    ) -> Candidates:
        """Return the peaks of scores on the :meth:`grid`, in pixels of the image.

        Raises
        ------
        MicrographError
            If a score is NaN.
        """
        found = find_peaks(scores, radius_px=radius_px / stride_px, floor=floor)
        step, first = np.float32(stride_px), np.float32(self.first_px)
        return Candidates(first + step * found.x, first + step * found.y, found.score)
