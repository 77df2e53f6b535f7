"""Membrane proteins in detergent micelles and in lipid nanodiscs; the membrane's normal is z."""

from cryopick_ray.simulate.filling import Composition, SolidPart
from cryopick_ray.simulate.shapes import (
    Solid,
    common,
    cyclic,
    domains,
    ellipsoid,
    minus,
    moved,
    slab,
    tube,
    uneven,
    union,
)

TAILS, METHYLS, HEADS, DETERGENT_HEADS = 0.5, 0.25, 1.15, 0.85
"""Densities relative to protein above ice. From scattering factors at zero angle as protein's: CH2 of 27 A^3
has 6.3 V, half of protein's excess over the 4.5 V of ice; the methyls of the middle fill twice that; a
phosphocholine of 319 A^3 has 8.7 V, sugars 8.3 V, with some water in between."""

HEAD_A, TAIL_A, METHYL_A = 22.5, 13.0, 4.0
"""Heights from the middle of a bilayer of 45 A at which heads, tails and methyls end."""


def micelle(radius_A: float, protein: Solid) -> tuple[SolidPart, ...]:
    """Return a belt of detergent of this radius, 46 A high, with a protein through it."""
    return (
        SolidPart(ellipsoid(radius_A, radius_A, 23), DETERGENT_HEADS),
        SolidPart(ellipsoid(radius_A - 8, radius_A - 8, 16), TAILS),
        SolidPart(protein),
    )


def nanodisc(radius_A: float, protein: Solid) -> tuple[SolidPart, ...]:
    """Return a round piece of bilayer within its scaffold, with a protein through it."""
    return (
        SolidPart(tube(0, radius_A - 4, 2 * HEAD_A), HEADS),
        SolidPart(tube(0, radius_A - 4, 2 * TAIL_A), TAILS),
        SolidPart(tube(0, radius_A - 4, 2 * METHYL_A), METHYLS),
        SolidPart(tube(radius_A - 9, radius_A, 28)),
        SolidPart(protein),
    )


def _bundle(radius_A: float, seed: int) -> Solid:
    """Return helices across the membrane."""
    return uneven(ellipsoid(radius_A, 0.85 * radius_A, 34), seed, 3, 14)


def _around_a_pore(bundle: Solid, domain: Solid, copies: int) -> Solid:
    """Return subunits about the z axis, open along it."""
    return minus(cyclic(union(bundle, domain), copies), tube(0, 6, 400))


COMPOSITIONS = (
    Composition(
        "micelle-transporter",
        "micelle",
        (50, 50, 75),
        micelle(46, union(_bundle(26, 1), moved(domains(3, 5, (30, 24, 26), 14), (6, 0, 46)))),
    ),
    Composition(
        "micelle-trimer",
        "micelle",
        (60, 60, 100),
        micelle(
            56,
            _around_a_pore(
                moved(uneven(ellipsoid(18, 20, 32), 2, 3, 14), (15, 0, 0)),
                moved(domains(5, 5, (22, 22, 36), 15), (26, 0, 54), (0, 12, 0)),
                3,
            ),
        ),
    ),
    Composition(
        "micelle-channel",
        "micelle-two-sided",
        (66, 66, 110),
        micelle(
            60,
            _around_a_pore(
                moved(uneven(ellipsoid(18, 15, 30), 4, 3, 14), (20, 0, 0)),
                union(
                    moved(domains(6, 6, (26, 24, 28), 15), (32, 0, 54)),
                    moved(domains(7, 4, (22, 20, 18), 13), (20, 4, -44)),
                ),
                4,
            ),
        ),
    ),
    Composition(
        "nanodisc-receptor",
        "nanodisc",
        (54, 54, 90),
        nanodisc(50, union(_bundle(21, 8), moved(domains(9, 8, (40, 28, 32), 15), (10, 0, 50)))),
    ),
    Composition(
        "nanodisc-channel",
        "nanodisc",
        (64, 64, 90),
        nanodisc(
            60,
            _around_a_pore(
                moved(uneven(ellipsoid(18, 15, 30), 10, 3, 14), (18, 0, 0)),
                moved(domains(11, 4, (22, 20, 24), 14), (22, 3, 46)),
                4,
            ),
        ),
    ),
    Composition(
        "nanodisc-exporter",
        "nanodisc-two-lobed",
        (60, 60, 110),
        nanodisc(
            56,
            union(
                *(
                    moved(
                        union(
                            moved(ellipsoid(15, 20, 48), (0, 0, -16)),
                            moved(domains(12, 5, (24, 26, 22), 14), (4, 0, -72)),
                        ),
                        (side * 17, 0, 0),
                        (0, side * 8, 90 - 90 * side),
                    )
                    for side in (1, -1)
                ),
                common(ellipsoid(28, 20, 26), slab(0, 30)),
            ),
        ),
    ),
)
