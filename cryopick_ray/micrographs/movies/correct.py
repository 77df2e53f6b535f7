"""Frames as the camera counted them to frames without its traces: gain and defects."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.micrographs.movies.defects import donors, read_defects
from cryopick_ray.micrographs.movies.gain import factors, load_gain, oriented
from cryopick_ray.micrographs.movies.movie import Movie
from cryopick_ray.micrographs.movies.shift import blocks
from cryopick_ray.settings.run_settings import MovieSettings


@dataclass(frozen=True, eq=False)
class Correction:
    """What is done to each frame.

    Attributes
    ----------
    gain
        ``(h, w)`` factors on the device; ``None`` for none.
    bad
        ``(h, w)`` mask of the defects.
    targets, sources
        ``(2, m)`` rows and columns of the defects, row by row, and of the pixels whose values they take.
    device
        Where frames go.
    """

    gain: Tensor | None
    bad: NDArray[np.bool_]
    targets: NDArray[np.int64]
    sources: NDArray[np.int64]
    device: torch.device

    def __call__(self, image: Tensor) -> Tensor:
        """Return a frame from :meth:`upload` corrected, in place."""
        if self.gain is not None:
            image *= self.gain
        return self.mended(image)

    def upload(self, frame: NDArray[Any]) -> Tensor:
        """Return a frame as float32 on the device; it may share the frame's memory."""
        return torch.from_numpy(frame).to(self.device).to(torch.float32)

    def mended(self, image: Tensor) -> Tensor:
        """Replace the defects of an image, in place."""
        image[self._at(self.targets)] = image[self._at(self.sources)]
        return image

    def blocks(self, frame: NDArray[Any], multiple: int = 1) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield some rows of a frame at a time: which they are, as they are, and corrected.

        Parameters
        ----------
        multiple
            Of so many rows is each block, but for the last.

        Yields
        ------
        A slice and two float32 tensors on the device, which are one and the same if there is no gain.
        """
        values = torch.from_numpy(frame[tuple(self.sources)].astype(np.float32)).to(self.device)
        if self.gain is not None:
            values *= self.gain[self._at(self.sources)]
        for rows in blocks(len(frame), self.device, multiple):
            raw = self.upload(frame[rows])
            image = raw if self.gain is None else raw * self.gain[rows]
            first, end = np.searchsorted(self.targets[0], (rows.start, rows.stop))
            down, across = self._at(self.targets[:, first:end])
            image[down - rows.start, across] = values[first:end]
            yield rows, raw, image

    def _at(self, places: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        down, across = torch.from_numpy(places).to(self.device)
        return down, across

    def also(self, bad: NDArray[np.bool_]) -> "Correction":
        """Return the correction that mends these pixels, too."""
        bad = self.bad | bad
        targets, sources = donors(bad)
        return replace(self, bad=bad, targets=targets, sources=sources)


def mending(bad: NDArray[np.bool_], device: torch.device) -> Correction:
    """Return the correction that mends these pixels and nothing else."""
    none = np.zeros((2, 0), np.int64)
    return Correction(None, np.zeros(bad.shape, np.bool_), none, none, device).also(bad)


def load_correction(movie: Movie, settings: MovieSettings, device: torch.device) -> Correction:
    """Return what the gain reference and the defects of ``settings`` do to a movie's frames.

    Raises
    ------
    UsageError
        A file cannot be used.
    MicrographError
        The gain reference has another shape than the frames.
    """
    bad = (
        np.zeros(movie.shape, np.bool_)
        if settings.defects is None
        else read_defects(settings.defects, movie.shape)
    )
    if settings.gain is None:
        return mending(bad, device)
    turned = oriented(load_gain(settings.gain), settings.gain_rot, settings.gain_flip)
    # Those of EER movies are to be divided by, but for files called .gain.
    reciprocal = movie.path.suffix.lower() == ".eer" and settings.gain.suffix.lower() != ".gain"
    gain = factors(turned, movie.shape, reciprocal=reciprocal)
    return replace(mending(bad | (gain == 0), device), gain=torch.from_numpy(gain).to(device))
