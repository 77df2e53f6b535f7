"""Amyloids: layers of winding chains, slowly twisting, so that the width seen comes and goes."""

from collections.abc import Sequence

import numpy as np

from cryopick_ray.simulate.filling import Composition
from cryopick_ray.simulate.shapes import Points, balls
from cryopick_ray.simulate.winding import FilamentComposition, Piece, subunit

LAYER_A = 4.8
"""Distance of neighbouring strands of a cross-beta sheet."""
CHAIN_A = 6.0
"""Radius of a chain with its side chains."""
TOGETHER = 4
"""Layers that are one unit: nothing in a micrograph tells them apart."""


def _fold(length_A: float, depth_A: float, runs: int) -> Points:
    """Return a chain that winds to and fro across ``depth_A`` while it goes along x."""
    at = np.linspace(0, 1, 40 * runs)
    zigzag = np.abs((at * runs) % 2 - 1) - 0.5
    return np.stack([(at - 0.5) * length_A, zigzag * depth_A, np.zeros(len(at))], axis=1)


def _arc(radius_A: float, turn_deg: float) -> Points:
    """Return a chain like a C, its middle on x, open away from the origin."""
    angle = np.pi + np.deg2rad(np.linspace(-turn_deg / 2, turn_deg / 2, 60))
    return np.stack([radius_A * np.cos(angle), radius_A * np.sin(angle), np.zeros(60)], axis=1)


def _layer(name: str, chains: Sequence[Points], gaussians: int) -> Composition:
    high_A = TOGETHER * LAYER_A / 2
    lifted = [chain + np.array([0, 0, z]) for chain in chains for z in np.linspace(-high_A, high_A, 5)]
    points = np.concatenate(lifted)
    half_x_A, half_y_A = np.abs(points[:, :2]).max(axis=0) + CHAIN_A
    return subunit(name, (float(half_x_A), float(half_y_A), high_A), balls(points, CHAIN_A), gaussians)


def _ribbon(
    name: str, layer: Composition, crossover_A: float, places: Sequence[tuple[float, float]]
) -> FilamentComposition:
    """Return protofilaments at these distances and angles, half a turn every ``crossover_A``."""
    rise_A = TOGETHER * LAYER_A
    pieces = tuple(Piece(layer, radius_A, phi_deg) for radius_A, phi_deg in places)
    return FilamentComposition(name, "ribbons", rise_A, round(-180 * rise_A / crossover_A, 3), pieces)


RIBBONS = (
    _ribbon("amyloid-narrow", _layer("narrow-layer", [_fold(50, 20, 3)], 90), 420, [(0, 0)]),
    _ribbon("amyloid-twin", _layer("twin-layer", [_fold(36, 24, 3)], 80), 960, [(25, 0), (25, 180)]),
    _ribbon("amyloid-wide", _layer("wide-layer", [_fold(36, 20, 3)], 80), 1900, [(50, 0), (0, 0), (50, 180)]),
    _ribbon("tau-like", _layer("c-layer", [_arc(24, 230), _arc(13, 210)], 110), 760, [(32, 0), (32, 180)]),
)
