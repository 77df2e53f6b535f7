"""Filaments in a coat: a tail's sheath about its tube, protein about a tube of membrane."""

from cryopick_ray.simulate.filling import Composition, SolidPart
from cryopick_ray.simulate.membranes import HEADS, TAILS
from cryopick_ray.simulate.shapes import ellipsoid, moved, tube, uneven, union
from cryopick_ray.simulate.winding import FilamentComposition, Piece, ring, subunit

HEAD_A = 10.0
"""Thickness of a leaflet's heads."""


def _membrane(inner_A: float, outer_A: float, height_A: float, gaussians: int) -> Composition:
    """Return a slice of a tube of bilayer."""
    return Composition(
        "membrane",
        "subunit",
        (outer_A, outer_A, height_A / 2),
        (
            SolidPart(tube(inner_A, outer_A, height_A), HEADS),
            SolidPart(tube(inner_A + HEAD_A, outer_A - HEAD_A, height_A), TAILS),
        ),
        gaussians,
    )


COATED = (
    FilamentComposition(
        *("sheath-tail", "sheathed", 38.0, 21.0),
        (
            *ring(
                subunit(
                    "sheath-protein",
                    (36, 30, 30),
                    uneven(
                        union(
                            moved(ellipsoid(20, 22, 24), (-14, 0, 0), (30, 0, 0)),
                            moved(ellipsoid(18, 13, 16), (16, 4, 4), (30, 0, 0)),
                        ),
                        *(21, 3, 14),
                    ),
                    110,
                ),
                *(6, 72),
            ),
            *ring(subunit("tail-protein", (18, 22, 20), ellipsoid(15, 18, 18), 50), 6, 30),
        ),
    ),
    FilamentComposition(
        *("dynamin-like", "sheathed", 7.4, 25.0),
        (
            Piece(
                subunit(
                    "dynamin-subunit",
                    (62, 34, 32),
                    uneven(
                        union(
                            moved(ellipsoid(20, 24, 24), (-38, 0, 0)),
                            moved(ellipsoid(28, 18, 20), (0, 0, 0), (0, 15, 0)),
                            moved(ellipsoid(20, 32, 28), (36, 0, 4)),
                        ),
                        *(22, 3, 14),
                    ),
                    120,
                ),
                *(138,),
            ),
            Piece(_membrane(38, 80, 7.4, 110), 0),
        ),
    ),
    FilamentComposition(
        *("bar-tubule", "sheathed", 14.0, 48.0),
        (
            Piece(
                subunit("bar-dimer", (18, 50, 20), moved(ellipsoid(16, 48, 15), (0, 0, 0), (30, 0, 0)), 110),
                128,
            ),
            Piece(_membrane(66, 110, 14.0, 240), 0),
        ),
    ),
)
