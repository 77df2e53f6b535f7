"""Viruses and empty capsids: a faceted wall with a bump on each capsomer."""

from cryopick_ray.simulate.filling import Composition, SolidPart
from cryopick_ray.simulate.shapes import (
    Solid,
    balls,
    faceted_radius,
    icosahedral,
    icosahedron,
    minus,
    union,
)

GENOME = 0.5
"""Packed nucleic acid, three tenths of the room, and water between, relative to protein."""
LOOSE = 1.6
"""Coarseness of the genome: it has no detail that a micrograph would show."""


def _wall(radius_A: float, thickness_A: float, frequency: int, bump_A: float, roundness: float) -> Solid:
    """Return a wall whose outermost bumps, balls half sunk in, touch a sphere of ``radius_A``."""
    places = icosahedral(frequency)
    outer_A = radius_A - bump_A
    centres_A = outer_A * places / faceted_radius(places, roundness)[:, None]
    wall = minus(icosahedron(outer_A, roundness), icosahedron(outer_A - thickness_A, roundness))
    return union(wall, balls(centres_A, bump_A))


def _genome(radius_A: float) -> SolidPart:
    return SolidPart(icosahedron(radius_A, 0.7), GENOME, LOOSE)


COMPOSITIONS = (
    Composition(
        "capsid-350", "virus", (175,) * 3, (_genome(122), SolidPart(_wall(175, 26, 2, 20, 0.6))), 3000
    ),
    Composition(
        "capsid-500", "virus", (250,) * 3, (_genome(196), SolidPart(_wall(250, 26, 3, 16, 0.3))), 4000
    ),
    Composition(
        "capsid-600-empty", "empty-capsid", (300,) * 3, (SolidPart(_wall(300, 34, 4, 20, 0.4)),), 5000
    ),
    Composition(
        "capsid-700", "large-virus", (350,) * 3, (_genome(288), SolidPart(_wall(350, 32, 4, 22, 0.2))), 6000
    ),
)
