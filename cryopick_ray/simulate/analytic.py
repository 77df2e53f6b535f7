"""The molecules made of shapes; the plainest here, the others by kind."""

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate import assemblies, capsids, membranes, nucleic, proteins
from cryopick_ray.simulate.filling import Composition, SolidPart
from cryopick_ray.simulate.shapes import Points, Solid, ellipsoid, shell, tube


def _plain(name: str, family: str, half_A: tuple[float, float, float], solid: Solid) -> Composition:
    return Composition(name, family, half_A, (SolidPart(solid),), gaussians=2000, step_A=min(half_A) / 20)


def _three_lobes(points: Points) -> NDArray[np.bool_]:
    """Two arms and a stem, as an antibody has."""
    lobe, (x, y, z) = ellipsoid(38, 22, 18), points.T
    turned = [
        (x * np.cos(a) + z * np.sin(a) - 36, z * np.cos(a) - x * np.sin(a), y)
        for a in np.deg2rad([30, 150, 270])
    ]
    lobes = [lobe(np.stack(axes, axis=1)) for axes in turned]
    return lobes[0] | lobes[1] | lobes[2]


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

COMPOSITIONS = (
    *PLAIN,
    *proteins.COMPOSITIONS,
    *assemblies.COMPOSITIONS,
    *membranes.COMPOSITIONS,
    *nucleic.COMPOSITIONS,
    *capsids.COMPOSITIONS,
)
