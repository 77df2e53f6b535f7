"""The filaments that come with the package: subunits about an axis, by rise and twist.

Rises and twists are those of the real ones, to what a micrograph shows; subunits are made of shapes.
"""

from cryopick_ray.simulate.coats import COATED
from cryopick_ray.simulate.nucleic import DUPLEX_A, NUCLEIC_ACID
from cryopick_ray.simulate.ribbons import RIBBONS
from cryopick_ray.simulate.shapes import balls, ellipsoid, line, moved, uneven, union
from cryopick_ray.simulate.winding import FilamentComposition, Piece, ring, subunit, wind

__all__ = ["FILAMENTS", "KEPT_OUT", "wind"]

KEPT_OUT = ("tmv-like", "parm-like", "amyloid-twin", "pilus-usher", "nucleocapsid-like", "actin-myosin")
"""Filaments of six families that nothing is taught with: they measure what a network has learned."""

LAYER_A = 40.7
"""Rise of tubulin along a protofilament; 13 of them climb three layers a turn."""
CLIMB = tuple((3 * LAYER_A / 13 * i) % LAYER_A for i in range(13))

TUBULIN = subunit("tubulin", (26, 26, 28), uneven(ellipsoid(23, 24, 26), 1, 3, 14), 70)
ACTIN = subunit(
    "actin-subunit",
    (30, 20, 32),
    uneven(
        union(moved(ellipsoid(15, 15, 27), (9, 0, 0)), moved(ellipsoid(15, 14, 24), (-13, 3, 2))), 2, 3, 14
    ),
    90,
)


def _microtubule(*more: Piece, name: str, family: str, rise_A: float) -> FilamentComposition:
    layers = round(rise_A / LAYER_A)
    tubulin = [
        piece
        for layer in range(layers)
        for piece in ring(TUBULIN, 13, 102, [z + layer * LAYER_A for z in CLIMB])
    ]
    return FilamentComposition(name, family, rise_A, 0.0, (*tubulin, *more))


TUBES = (
    _microtubule(name="microtubule", family="tubes", rise_A=LAYER_A),
    FilamentComposition(
        *("tmv-like", "tubes", 1.408, 22.04),
        (Piece(subunit("coat-protein", (38, 14, 16), uneven(ellipsoid(36, 13, 14), 3, 2, 12), 60), 56),),
    ),
    FilamentComposition(
        *("tail-tube", "tubes", 40.0, 18.0),
        ring(subunit("tail-protein", (18, 22, 20), ellipsoid(17, 19, 19), 60), 6, 32),
    ),
    FilamentComposition(
        *("flagellum", "tubes", 4.72, 65.8),
        (
            Piece(
                subunit(
                    "flagellin",
                    (58, 22, 24),
                    union(
                        moved(ellipsoid(30, 12, 22), (-27, 0, 0)),
                        moved(ellipsoid(17, 11, 13), (16, 2, 4), (0, 30, 0)),
                        moved(ellipsoid(17, 11, 11), (40, 0, 8), (0, 30, 0)),
                    ),
                    90,
                ),
                61,
            ),
        ),
    ),
    FilamentComposition(
        *("hook", "tubes", 4.13, 64.8),
        (
            Piece(
                subunit(
                    "hook-protein",
                    (46, 20, 34),
                    union(
                        moved(ellipsoid(24, 11, 30), (-21, 0, 0), (0, 15, 0)),
                        moved(ellipsoid(20, 13, 17), (22, 0, 0), (0, 30, 0)),
                    ),
                    90,
                ),
                55,
            ),
        ),
    ),
)

TWO_STRAND = (
    FilamentComposition("actin", "two-strand", 27.5, -166.7, (Piece(ACTIN, 16),)),
    FilamentComposition(
        *("parm-like", "two-strand", 24.5, 165.0),
        (
            Piece(
                subunit(
                    "parm-subunit",
                    (26, 24, 26),
                    uneven(union(ellipsoid(12, 21, 22), moved(ellipsoid(13, 15, 16), (10, 4, 4))), 4, 3, 14),
                    90,
                ),
                18,
            ),
        ),
    ),
    FilamentComposition(
        *("ftsz-double", "two-strand", 43.0, 3.0),
        ring(subunit("ftsz-subunit", (26, 22, 27), uneven(ellipsoid(24, 19, 26), 5, 3, 14), 80), 2, 24),
    ),
)

PILI = (
    FilamentComposition(
        *("pilus-type4", "pili", 10.5, 92.5),
        (
            Piece(
                subunit(
                    "pilin",
                    (24, 18, 40),
                    union(
                        balls(line((-12, 0, -36), (-10, 0, 30)), 6), uneven(ellipsoid(15, 14, 18), 6, 2, 12)
                    ),
                    90,
                ),
                17,
            ),
        ),
    ),
    FilamentComposition(
        *("pilus-usher", "pili", 7.7, 115.0),
        (
            Piece(
                subunit("pap-pilin", (18, 14, 24), moved(ellipsoid(15, 12, 21), (0, 0, 0), (35, 0, 0)), 70),
                25,
            ),
        ),
    ),
    FilamentComposition(
        *("pilus-conjugative", "pili", 13.2, 28.2),
        ring(
            subunit("tra-pilin", (16, 14, 20), moved(ellipsoid(14, 9, 18), (0, 0, 0), (0, 25, 0)), 50), 5, 29
        ),
    ),
)

THIN = (
    FilamentComposition(
        *("dna", "thin", 3.4, 34.3),
        (
            *(
                Piece(subunit("phosphate", (3, 3, 3), ellipsoid(3, 3, 3), 6, 1.9), 8.5, phi)
                for phi in (0.0, 143.0)
            ),
            Piece(subunit("base-pair", (8, 4, 1.7), ellipsoid(7.5, 3.5, 1.7), 14, NUCLEIC_ACID), 2.0, 71.0),
        ),
    ),
    FilamentComposition(
        *("coiled-coil", "thin", 5.1, 13.1),
        ring(subunit("alpha-helix", (6, 6, 2.6), ellipsoid(5.5, 5.5, 3.6), 10), 2, 5.5),
    ),
)

ROPES = (
    FilamentComposition(
        *("collagen-like", "ropes", 11.0, 9.0),
        (
            *ring(subunit("triple-helix", (9, 9, 5.5), ellipsoid(8.5, 8.5, 9), 24), 5, 15),
            Piece(subunit("triple-helix", (7, 7, 5.5), ellipsoid(6.5, 6.5, 9), 16), 0),
        ),
    ),
    FilamentComposition(
        *("intermediate", "ropes", 21.0, 11.0),
        ring(subunit("protofibril", (14, 14, 14), uneven(ellipsoid(13, 13, 14), 7, 3, 10), 40), 8, 37),
    ),
)

COILS = (
    FilamentComposition(
        *("reca-like", "coils", 15.3, 58.4),
        (
            Piece(subunit("reca-subunit", (24, 20, 22), uneven(ellipsoid(21, 16, 19), 8, 3, 12), 80), 31),
            Piece(subunit("strand", (8, 8, 8), ellipsoid(DUPLEX_A, DUPLEX_A, 8), 12, NUCLEIC_ACID), 0),
        ),
    ),
    FilamentComposition(
        *("nucleocapsid-like", "coils", 4.07, -29.2),
        (
            Piece(
                subunit(
                    "nucleoprotein", (40, 22, 20), moved(ellipsoid(36, 17, 13), (0, 0, 0), (0, 20, 0)), 70
                ),
                66,
            ),
        ),
    ),
    FilamentComposition(
        *("spring", "coils", 3.3, 20.0),
        (Piece(subunit("spring-subunit", (18, 22, 20), uneven(ellipsoid(17, 18, 17), 9, 3, 12), 50), 102),),
    ),
)

DECORATED = (
    FilamentComposition(
        *("actin-tropomyosin", "decorated", 27.5, -166.7),
        (
            Piece(ACTIN, 16),
            Piece(subunit("rope", (9, 9, 28), balls(line((0, -5, -26), (0, 5, 26)), 9), 50), 38, 62),
        ),
    ),
    FilamentComposition(
        *("actin-myosin", "decorated", 27.5, -166.7),
        (
            Piece(ACTIN, 16),
            Piece(
                subunit(
                    "motor",
                    (58, 22, 50),
                    uneven(
                        union(
                            moved(ellipsoid(32, 21, 24), (-22, 0, -12), (0, -35, 0)),
                            balls(line((0, 0, 0), (48, 8, 36)), 9),
                        ),
                        *(10, 3, 14),
                    ),
                    140,
                ),
                *(52, 20, 10),
            ),
        ),
    ),
    _microtubule(
        *ring(
            subunit("kinesin", (26, 20, 24), uneven(ellipsoid(24, 17, 22), 11, 3, 12), 60),
            *(13, 147, [z + LAYER_A / 2 for z in CLIMB]),
        ),
        name="microtubule-kinesin",
        family="decorated",
        rise_A=2 * LAYER_A,
    ),
    FilamentComposition(
        *("beads", "decorated", 118.0, 105.0),
        (
            Piece(subunit("bead", (46, 46, 46), uneven(ellipsoid(40, 42, 42), 12, 4, 18), 120), 14),
            Piece(
                subunit("linker", (11, 11, 59), balls(line((0, 0, -59), (0, 0, 59)), 9), 60, NUCLEIC_ACID), 0
            ),
        ),
    ),
)

FILAMENTS = (*TUBES, *TWO_STRAND, *RIBBONS, *PILI, *THIN, *ROPES, *COILS, *DECORATED, *COATED)
