"""Where the filaments of a micrograph run, which molecule each is, and which of them one would trace."""

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.filaments.trace import Trace
from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import (
    CountRange,
    FractionRange,
    NonNegativeRange,
    PositiveRange,
    Range,
    between,
)
from cryopick_ray.simulate.plane_curves import runs


class FilamentSceneSettings(Settings):
    """How filaments run, for molecules that are filaments; lengths are in widths of the filament.

    Attributes
    ----------
    number
        How many, pieces of one broken filament counted once. ``None`` to go by ``density``.
    density
        Share of the clean image that they cover.
    length
        Of each, drawn evenly in its logarithm; what runs out of the image is cut off.
    persistence
        Length over which one forgets its direction; drawn for a micrograph, evenly in its logarithm.
    crossing_probability
        Chance that those of a micrograph cross each other; else each ends before the next.
    bundled
        Share of the filaments that run side by side.
    bundle, bundle_distance
        How many run side by side, and how far apart.
    broken
        Share of the filaments with gaps.
    gap
        Length of a gap; what lies on either side is a filament of its own.
    tangles
        Balls of short filaments that nobody traces.
    tilt_deg
        Standard deviation of the angle out of the plane of the ice.
    background
        Packing of what lies about free, subunits, stubs and the particles among the molecules: instead
        of ``scene.packing``. It counts as decoys.
    """

    number: CountRange | None = None
    density: Annotated[Range, between(0, 0.6)] = (0.02, 0.25)
    length: Annotated[PositiveRange, between(2, 10_000)] = (5.0, 100.0)
    persistence: Annotated[PositiveRange, between(5, 1e6)] = (20.0, 2000.0)
    crossing_probability: Annotated[float, Field(ge=0, le=1)] = 0.7
    bundled: FractionRange = (0.0, 0.3)
    bundle: Annotated[CountRange, between(2, 12)] = (2, 5)
    bundle_distance: Annotated[PositiveRange, between(0.8, 3)] = (1.0, 1.3)
    broken: FractionRange = (0.0, 0.3)
    gap: Annotated[PositiveRange, between(0.5, 100)] = (1.0, 4.0)
    tangles: CountRange = (0, 1)
    tilt_deg: Annotated[NonNegativeRange, between(0, 20)] = (0.0, 4.0)
    background: FractionRange = (0.0, 0.03)


@dataclass(frozen=True, eq=False)
class Filament:
    """One filament as it is drawn, without gaps.

    Attributes
    ----------
    molecule
        Number in the list of molecules.
    points
        ``(n, 2)`` x, y in pixels along its axis, some of them outside the image.
    inside, pickable
        ``(n,)`` bool: in the image; and there, off contamination and tangles, in a piece that is long
        enough.
    """

    molecule: int
    points: NDArray[np.float64]
    inside: NDArray[np.bool_]
    pickable: NDArray[np.bool_]

    def traces(self, *, pickable: bool) -> list[Trace]:
        """Return the pieces in the image that one would trace, or the others."""
        kept = self.inside & (self.pickable == pickable)
        return [Trace(self.points[run]) for run in runs(kept) if run.stop - run.start > 1]


@dataclass(frozen=True, eq=False)
class FilamentScene:
    """The filaments of one micrograph.

    Attributes
    ----------
    filaments
        As they are drawn.
    tangles
        ``(k, 3)`` x, y and radius in pixels of balls of filaments.
    tilt_deg
        Standard deviation of their angle out of the plane.
    is_empty
        Whether nothing but ice is meant to be there.
    """

    filaments: tuple[Filament, ...] = ()
    tangles: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    tilt_deg: float = 0.0
    is_empty: bool = False

    def traces(self, *, pickable: bool) -> list[tuple[int, Trace]]:
        """Return the molecule and the axis of each piece that one would trace, or of the others."""
        return [
            (filament.molecule, trace)
            for filament in self.filaments
            for trace in filament.traces(pickable=pickable)
        ]
