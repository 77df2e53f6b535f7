"""Large complexes far from round: rods, rings, open and branched ones; the axis of symmetry is z."""

from cryopick_ray.simulate.filling import one
from cryopick_ray.simulate.shapes import (
    Solid,
    balls,
    cyclic,
    dihedral,
    domains,
    ellipsoid,
    helix,
    moved,
    tube,
    uneven,
    union,
)


def _washer() -> Solid:
    """Return six subunits on a ring that is broken open and climbs, as helicases that wait for DNA."""
    at = helix(54, 54, 0.7)
    places = at[[round(i * (len(at) - 1) / 5) for i in range(6)]]
    return union(*(moved(domains(40 + i, 8, (37, 36, 38), 16), place) for i, place in enumerate(places)))


def _ring_pair() -> Solid:
    """Return two rings side by side that are one particle."""
    ring = cyclic(moved(uneven(ellipsoid(24, 30, 26), 50, 4, 16), (40, 0, 0)), 6)
    return union(*(moved(ring, (side * 62, 0, 0), (0, side * 14, 0)) for side in (-1, 1)))


def _triple_ring() -> Solid:
    rows = [
        moved(
            uneven(ellipsoid(24, 30, 33), 60 + i, 4, 16), (38 + 6 * (i != 1), 0, 54 * (i - 1)), (20 * i, 0, 0)
        )
        for i in range(3)
    ]
    return cyclic(union(*rows), 6)


def _double_ring() -> Solid:
    """Return two rings of seven back to back, each subunit of two domains about a cavity, as GroEL."""
    base = moved(uneven(ellipsoid(23, 26, 24), 70, 4, 16), (43, 0, 20))
    lid = moved(uneven(ellipsoid(17, 24, 22), 71, 4, 16), (50, 0, 54), (0, -15, 0))
    return dihedral(cyclic(union(base, lid), 7))


def _tripod() -> Solid:
    head = moved(domains(80, 6, (30, 30, 28), 17), (10, 0, 34))
    leg = moved(uneven(ellipsoid(20, 20, 60), 81, 4, 18), (46, 0, -14), (0, -40, 0))
    return cyclic(union(head, leg), 3)


def _propeller() -> Solid:
    blade = moved(domains(90, 12, (54, 32, 26), 17), (58, 0, 0), (30, 0, 0))
    return cyclic(union(ellipsoid(34, 34, 30), blade), 4)


def _dumbbell() -> Solid:
    heads = [moved(domains(20 + i, 14, (38, 36, 38), 18), (0, 0, z)) for i, z in enumerate((-64, 64))]
    return union(tube(0, 14, 120), *heads)


def _knobbed_rod() -> Solid:
    knobs = [moved(ellipsoid(27, 24, 19), (0, 0, 44 * i)) for i in range(-3, 4)]
    return uneven(union(tube(0, 14, 300), *knobs), 30, 4, 14)


COMPOSITIONS = (
    one("dumbbell-3", "dumbbell", (44, 44, 114), _dumbbell()),
    one("superhelix-4", "superhelix", (46, 46, 165), balls(helix(26, 66, 4.4), 15)),
    one("bent-rod-5", "bent-rod", (30, 130, 25), moved(balls(helix(110, 0, 0.34), 21), (-90, 0, 0))),
    one("knobbed-rod-6", "knobbed-rod", (36, 36, 165), _knobbed_rod()),
    one("c-shape", "c-shape", (100, 100, 36), uneven(balls(helix(66, 0, 0.72), 24), 30, 4, 24)),
    one("lock-washer", "open-ring", (96, 96, 74), _washer()),
    one("ring-pair", "ring-pair", (136, 80, 46), _ring_pair()),
    one("triple-ring", "stacked-rings", (76, 76, 100), _triple_ring()),
    one("double-ring", "double-ring", (76, 76, 80), _double_ring()),
    one("tripod", "tripod", (110, 110, 80), _tripod()),
    one("propeller", "propeller", (120, 120, 50), _propeller()),
)
