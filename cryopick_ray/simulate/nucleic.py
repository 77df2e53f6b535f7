"""Proteins with DNA or RNA."""

from cryopick_ray.simulate.filling import Composition, SolidPart
from cryopick_ray.simulate.shapes import (
    balls,
    domains,
    ellipsoid,
    helix,
    line,
    minus,
    moved,
    uneven,
    union,
)

NUCLEIC_ACID = 1.6
"""Scattering above that of ice per volume, relative to protein: phosphorus, and denser packing."""
DUPLEX_A = 8.0
"""Radius of a rope as heavy as a double helix: 0.93 A^3 per dalton, 201 Da per A; grooves are left out."""

COMPOSITIONS = (
    Composition(
        "nucleosome-like",
        "nucleosome",
        (56, 56, 32),
        (
            SolidPart(uneven(ellipsoid(39, 39, 28), 1, 3, 16)),
            SolidPart(balls(helix(42, 26, 1.65), DUPLEX_A), NUCLEIC_ACID),
        ),
    ),
    Composition(
        "cas9-like",
        "rna-guided",
        (64, 60, 48),
        (
            SolidPart(
                union(
                    moved(domains(21, 11, (32, 44, 32), 16), (-25, 0, 0)),
                    moved(domains(22, 9, (28, 38, 30), 15), (24, 4, 0)),
                )
            ),
            SolidPart(
                union(
                    balls(line((0, -50, -10), (2, 34, 8)), DUPLEX_A),
                    balls(line((2, 34, 8), (22, 44, -20)), 7),
                ),
                NUCLEIC_ACID,
            ),
        ),
    ),
    Composition(
        "polymerase-like",
        "polymerase",
        (76, 110, 64),
        (
            SolidPart(
                minus(
                    union(
                        moved(domains(23, 14, (38, 66, 50), 20), (-26, 0, 0)),
                        moved(domains(24, 12, (36, 58, 44), 19), (32, 0, 6), (0, 0, -14)),
                    ),
                    balls(line((6, 0, 0), (6, 110, 30)), 15),
                )
            ),
            SolidPart(balls(line((4, -30, -4), (8, 88, 26)), DUPLEX_A), NUCLEIC_ACID),
        ),
    ),
)
