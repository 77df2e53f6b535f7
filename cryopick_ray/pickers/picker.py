"""The interface of pickers: an image in, candidates out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Candidates:
    """Possible particles of one image, best first; ties order by y, then x.

    Attributes
    ----------
    x, y
        ``(n,)`` float32 columns and rows, in pixels of the image the picker was given.
    score
        ``(n,)`` float32, higher is better; the scale is the picker's own (its FOM).
    junk
        ``(n,)`` uint8 kind of junk at each (:class:`~cryopick_ray.micrographs.junk.Junk`); ``None`` if the
        picker does not segment junk.
    mask
        ``(k, l)`` uint8 kinds of junk over the whole image, on a grid of equal cells; ``None`` likewise.
    more
        Further columns: ``(n,)`` arrays named as in :data:`~cryopick_ray.picks.columns.COLUMNS`; lengths are
        in pixels of the image, with names that end in ``_px``.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    score: NDArray[np.float32]
    junk: NDArray[np.uint8] | None = None
    mask: NDArray[np.uint8] | None = None
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.score)


class Picker(Protocol):
    """Finds particles in one normalised micrograph.

    A picker owns its network and its peaks. It does not own files, scale, thresholds or
    coordinates: the caller hands it an image in which a particle spans ``particle_px`` pixels and
    is darker than the ice, and maps what comes back to the source micrograph.
    """

    name: str
    """Short name, as in the table's ``model`` column."""
    particle_px: float
    """How many pixels a particle's diameter spans in the image that :meth:`pick` is given."""
    wants_gpu: bool
    """Whether a GPU makes it faster."""
    batch: int
    """Micrographs to give :meth:`pick_many` at once on a GPU, at most."""
    threshold: float | None
    """Score from which a candidate is a particle, by the card; ``None`` to find it from the scores."""
    is_probability: bool
    """Whether scores are from 0 to 1, as a network's answers through a sigmoid or softmax are."""
    can_be_calibrated: bool
    """Whether its scores are probabilities once they are calibrated as its card says."""
    calibrated: bool
    """Whether a score of s means that about a share s of such candidates are particles."""

    @property
    def device(self) -> "torch.device":
        """The device that it runs on."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the picks, weights' digest included, as plain JSON."""
        ...

    def pick(self, image: NDArray[np.float32]) -> Candidates:
        """Return all candidates of an ``(h, w)`` float32 image above the picker's low floor."""
        ...

    def pick_many(self, images: "Tensor") -> list[Candidates]:
        """Return the candidates of each of ``(n, h, w)`` float32 images on the picker's device."""
        ...
