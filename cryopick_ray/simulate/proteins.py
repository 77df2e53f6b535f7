"""Proteins of 60 to 200 kDa."""

from cryopick_ray.simulate.filling import one
from cryopick_ray.simulate.shapes import (
    cyclic,
    dihedral,
    domains,
    ellipsoid,
    moved,
    uneven,
    union,
)

COMPOSITIONS = (
    one(
        "bilobed",
        "bilobed",
        (46, 32, 30),
        uneven(
            union(moved(ellipsoid(20, 25, 21), (-20, 0, 0)), moved(ellipsoid(18, 20, 22), (21, 3, 3))),
            1,
            4,
            14,
        ),
    ),
    one(
        "spindle",
        "spindle",
        (30, 30, 80),
        uneven(
            union(*(moved(ellipsoid(17, 15, 21), (0, 6 * (-1) ** i, 32 * i - 48)) for i in range(4))),
            2,
            3,
            12,
        ),
    ),
    one(
        "clamp", "clamp", (52, 52, 24), cyclic(moved(uneven(ellipsoid(14, 42, 16), 3, 3, 14), (28, 0, 0)), 3)
    ),
    one("leaf", "leaf", (66, 50, 26), domains(4, 12, (60, 42, 18), 15)),
    one(
        "tetramer",
        "tetramer",
        (52, 44, 44),
        dihedral(cyclic(moved(domains(5, 6, (26, 26, 22), 15), (15, 3, 12)), 2)),
    ),
    one(
        "v-dimer",
        "v-dimer",
        (90, 44, 76),
        cyclic(moved(domains(6, 9, (22, 28, 58), 16.5), (30, 0, 0), (0, 32, 0)), 2),
    ),
)
