"""The filament network: the heat-map's U-Net, with other answers."""

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.heatmap.networks import KINDS, MAX_BASE, UNet

RIDGE, COS2, SIN2, JUNK = range(4)
"""Places of the answers; from the last on one for each kind of junk, ``NONE`` first."""
ANSWERS = JUNK + KINDS
RIDGE_LOGIT, CLEAR_LOGIT = -3.0, 4.0
"""Biases: at the start almost nothing is a filament's axis, or junk."""


class FilamentNetwork(UNet):
    """A U-Net from ``(n, 1, h, w)`` images to ``(n, 9, h / 2, w / 2)`` answers.

    The first is the logit of the probability of a filament's axis; the next two are the vector
    ``(cos 2a, sin 2a)`` of its direction ``a = atan2(dy, dx)``, shorter where it is not sure: a filament has
    no first end, and twice the angle is the same for both. The others, through a softmax, are those of what
    lies there (:class:`~cryopick_ray.micrographs.junk.Junk`).

    Parameters
    ----------
    architecture
        ``filament``.
    base
        Channels at the finest resolution.
    """

    def __init__(self, architecture: str, base: int) -> None:
        if architecture != "filament":
            raise ModelError(f"unknown architecture {architecture!r}; expected 'filament'")
        if not 1 <= base <= MAX_BASE:
            raise ModelError(f"filament with {base} base channels; expected 1 to {MAX_BASE}")
        super().__init__(base, [RIDGE_LOGIT, 0.0, 0.0, CLEAR_LOGIT, *[0.0] * (KINDS - 1)])
