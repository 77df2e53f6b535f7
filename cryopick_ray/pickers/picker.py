"""What a picker is: an image in, candidates out."""

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
        ``(n,)`` uint8, what each lies on (:class:`~cryopick_ray.micrographs.junk.Junk`); ``None`` if the
        picker knows nothing of it.
    mask
        ``(k, l)`` uint8, the same over the whole image, whose height and width are cut into so many equal
        cells; ``None`` likewise.
    more
        What else the picker knows: ``(n,)`` arrays named as a column of
        :data:`~cryopick_ray.picks.columns.COLUMNS`, but lengths, in pixels of the image, whose names end in
        ``_px``.
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
    """Score from which its model says a candidate is a particle; ``None`` to find one from the scores."""
    is_probability: bool
    """Whether scores are from 0 to 1, as a network's answers through a sigmoid or softmax are."""
    can_be_calibrated: bool
    """Whether its scores are probabilities once a line of its card has set them right."""
    calibrated: bool
    """Whether a score of s means that about a share s of such candidates are particles."""

    @property
    def device(self) -> "torch.device":
        """Where its work is done."""
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
