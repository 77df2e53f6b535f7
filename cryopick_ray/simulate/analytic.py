"""The molecules made of shapes: plain solids, small proteins, long ones, rings and other open forms."""

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate import capsids, membranes, nucleic
from cryopick_ray.simulate.filling import Part, Recipe
from cryopick_ray.simulate.shapes import (
    Points,
    Solid,
    balls,
    cyclic,
    dihedral,
    domains,
    ellipsoid,
    helix,
    moved,
    shell,
    tube,
    uneven,
    union,
)


def _one(name: str, family: str, half_A: tuple[float, float, float], solid: Solid) -> Recipe:
    return Recipe(name, family, half_A, (Part(solid),))


def _plain(name: str, family: str, half_A: tuple[float, float, float], solid: Solid) -> Recipe:
    return Recipe(name, family, half_A, (Part(solid),), step_A=min(half_A) / 20)


def _three_lobes(points: Points) -> NDArray[np.bool_]:
    """Two arms and a stem, as an antibody has."""
    lobe, (x, y, z) = ellipsoid(38, 22, 18), points.T
    turned = [
        (x * np.cos(a) + z * np.sin(a) - 36, z * np.cos(a) - x * np.sin(a), y)
        for a in np.deg2rad([30, 150, 270])
    ]
    return np.logical_or.reduce([lobe(np.stack(axes, axis=1)) for axes in turned])


PLAIN = (
    _plain("globule", "globular", (30, 23, 21), ellipsoid(30, 23, 21)),
    _plain("antibody", "y-shape", (75, 30, 75), _three_lobes),
    _plain("disc", "disc", (65, 65, 23), tube(0, 65, 45)),
    _plain("short-rod", "rod", (22, 22, 90), tube(0, 22, 180)),
    _plain("long-rod", "rod", (30, 30, 200), tube(0, 30, 400)),
    _plain("ring", "ring", (95, 95, 25), tube(50, 95, 50)),
    _plain("barrel", "barrel", (68, 68, 75), tube(28, 68, 150)),
    _plain("small-shell", "shell", (95, 95, 95), shell(70, 95)),
    _plain("shell", "shell", (150, 150, 150), shell(132, 150)),
)

SMALL = (
    _one(
        "bilobed",
        "bilobed",
        (46, 32, 30),
        union(
            moved(uneven(ellipsoid(20, 25, 21), 1, 4, 14), (-20, 0, 0)),
            moved(uneven(ellipsoid(18, 20, 22), 2, 4, 14), (21, 3, 3)),
        ),
    ),
    _one(
        "spindle",
        "spindle",
        (30, 30, 80),
        union(
            *(
                moved(uneven(ellipsoid(17, 15, 22), 10 + i, 3, 12), (0, 6 * (-1) ** i, z))
                for i, z in enumerate((-48, -16, 16, 48))
            )
        ),
    ),
    _one(
        "clamp",
        "clamp",
        (52, 52, 24),
        cyclic(moved(uneven(ellipsoid(14, 42, 16), 3, 3, 14), (28, 0, 0)), 3),
    ),
    _one("leaf", "leaf", (66, 50, 26), domains(4, 12, (60, 42, 18), 15)),
    _one(
        "tetramer",
        "tetramer",
        (60, 60, 50),
        dihedral(cyclic(moved(domains(5, 4, (26, 26, 22), 15), (24, 4, 20)), 2)),
    ),
    _one(
        "v-dimer",
        "v-dimer",
        (90, 40, 76),
        cyclic(moved(domains(6, 7, (20, 24, 56), 16), (30, 0, 0), (0, 32, 0)), 2),
    ),
)

LONG = (
    _one(
        "dumbbell-3",
        "dumbbell",
        (44, 44, 114),
        union(
            moved(domains(20, 8, (34, 32, 34), 17), (0, 0, 66)),
            moved(domains(21, 8, (32, 34, 36), 17), (0, 0, -66)),
            tube(0, 12, 120),
        ),
    ),
    _one("superhelix-4", "superhelix", (44, 44, 165), balls(helix(28, 66, 4.4), 13)),
    _one("bent-rod-5", "bent-rod", (140, 140, 25), balls(helix(110, 0, 0.34), 21)),
    _one(
        "knobbed-rod-6",
        "knobbed-rod",
        (32, 32, 165),
        union(
            tube(0, 14, 300),
            *(moved(uneven(ellipsoid(27, 24, 17), 30 + i, 4, 14), (0, 0, 44 * i)) for i in range(-3, 4)),
        ),
    ),
)

OPEN = (
    _one("c-shape", "c-shape", (100, 100, 36), uneven(balls(helix(66, 0, 0.72), 24), 30, 4, 24)),
    _one(
        "lock-washer",
        "open-ring",
        (90, 90, 70),
        union(
            *(
                moved(domains(40 + i, 5, (34, 27, 32), 16), at)
                for i, at in enumerate(helix(52, 56, 0.8)[:: len(helix(52, 56, 0.8)) // 5 - 1])
            )
        ),
    ),
    _one(
        "ring-pair",
        "ring-pair",
        (136, 80, 46),
        union(
            *(
                moved(
                    cyclic(moved(uneven(ellipsoid(24, 30, 26), 50, 4, 16), (40, 0, 0)), 6),
                    (side * 62, 0, 0),
                    (0, side * 14, 0),
                )
                for side in (-1, 1)
            )
        ),
    ),
    _one(
        "triple-ring",
        "stacked-rings",
        (70, 70, 96),
        cyclic(
            union(
                *(
                    moved(
                        uneven(ellipsoid(22, 28, 27), 60 + i, 4, 16),
                        (38 + 6 * (i != 1), 0, 56 * (i - 1)),
                        (20 * i, 0, 0),
                    )
                    for i in range(3)
                )
            ),
            6,
        ),
    ),
    _one(
        "double-ring",
        "double-ring",
        (76, 76, 80),
        dihedral(
            cyclic(
                union(
                    moved(uneven(ellipsoid(23, 26, 22), 70, 4, 16), (44, 0, 18)),
                    moved(uneven(ellipsoid(20, 18, 24), 71, 4, 16), (50, 0, 54), (0, -15, 0)),
                ),
                7,
            )
        ),
    ),
    _one(
        "tripod",
        "tripod",
        (110, 110, 80),
        cyclic(
            union(
                moved(domains(80, 6, (30, 30, 28), 17), (10, 0, 34)),
                moved(uneven(ellipsoid(20, 20, 60), 81, 4, 18), (46, 0, -14), (0, -40, 0)),
            ),
            3,
        ),
    ),
    _one(
        "propeller",
        "propeller",
        (120, 120, 50),
        cyclic(
            union(
                moved(domains(90, 7, (50, 24, 24), 17), (58, 0, 0), (30, 0, 0)),
                ellipsoid(34, 34, 30),
            ),
            4,
        ),
    ),
)

RECIPES = (*PLAIN, *SMALL, *LONG, *OPEN, *membranes.RECIPES, *nucleic.RECIPES, *capsids.RECIPES)
