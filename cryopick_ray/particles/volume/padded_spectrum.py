"""The padded spectrum of a map, where central slices are put in and taken out.

A spectrum is that of a map of ``side_px`` voxels a side in a cube of twice that (:data:`PADDING`), as
``rfftn`` returns it: axes z, y, x, zero frequency first; the origin is at voxel ``side_px // 2`` of the map.
A frequency ``(k_x, k_y)`` of an image, in steps of ``1 / side_px``, lies at ``PADDING R^T (k_x, k_y, 0)`` of
it, for rotations R as :mod:`cryopick_ray.simulate.projection` has them; between samples it is linear.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

PADDING = 2


def disc(side_px: int, radius: float, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Return the frequencies of one half of an image's spectrum below a radius, each with no mate among them.

    Parameters
    ----------
    side_px
        Of the image.
    radius
        In steps of ``1 / side_px``; at most ``side_px / 2``.

    Returns
    -------
    ``(m,)`` places in the flattened ``rfft2`` of the image, and ``(m, 2)`` frequencies x, y in steps.
    """
    y = torch.fft.fftfreq(side_px, 1 / side_px, device=device)[:, None].expand(-1, side_px // 2 + 1)
    x = torch.arange(side_px // 2 + 1, device=device, dtype=y.dtype).expand_as(y)
    inside = (x**2 + y**2 < radius**2) & ((x > 0) | (y >= 0))
    places = inside.flatten().nonzero()[:, 0]
    return places, torch.stack([x.flatten()[places], y.flatten()[places]], dim=1)


def on_slices(frequencies: Tensor, rotations: Tensor) -> Tensor:
    """Return where frequencies of images lie in the padded spectrum, ``(n, m, 3)`` x, y, z.

    Parameters
    ----------
    frequencies
        ``(m, 2)`` from :func:`disc`.
    rotations
        ``(n, 3, 3)``, molecule to microscope.
    """
    return PADDING * (frequencies @ rotations[:, :2, :])  # R^T (k_x, k_y, 0) is (k_x, k_y) R's first two rows


def corners(points: Tensor, side_px: int) -> tuple[Tensor, Iterator[tuple[Tensor, Tensor]]]:
    """Return how points of the padded spectrum are made of its samples.

    Parameters
    ----------
    points
        ``(..., 3)`` x, y, z; their radius is at most ``side_px``.
    side_px
        Of the map.

    Returns
    -------
    Which points lie in the half that is not kept and are their mates' conjugates, ``(...)``; and for each
    of the eight samples around a point its place in the flattened spectrum and its weight.
    """
    is_mate = points[..., 0] < 0
    points = torch.where(is_mate[..., None], -points, points)
    low = points.floor()
    part = points - low
    return is_mate, _eight(low.long(), part, PADDING * side_px)


def _eight(low: Tensor, part: Tensor, padded_px: int) -> Iterator[tuple[Tensor, Tensor]]:
    columns = padded_px // 2 + 1
    ways = [
        [(low[..., axis], 1 - part[..., axis]), (low[..., axis] + 1, part[..., axis])] for axis in range(3)
    ]
    rows = [[(z % padded_px) * padded_px for z, _ in ways[2]], [y % padded_px for y, _ in ways[1]]]
    for of_z in (0, 1):
        for of_y in (0, 1):
            row = (rows[0][of_z] + rows[1][of_y]) * columns
            weight = ways[2][of_z][1] * ways[1][of_y][1]
            for x, part_x in ways[0]:
                yield row + x, weight * part_x


def spectrum_of(volume: Tensor) -> Tensor:
    """Return the padded spectrum of a ``(side, side, side)`` map whose slices are its projections.

    Linear interpolation multiplies the map by sinc^2 along each axis, which is divided out first.
    """
    side = volume.shape[0]
    volume = volume / interpolated(side, volume.device)
    padded = volume.new_zeros((PADDING * side,) * 3)
    padded[:side, :side, :side] = volume
    spectrum: Tensor = torch.fft.rfftn(torch.roll(padded, (-(side // 2),) * 3, (0, 1, 2)))
    return spectrum


def map_of(spectrum: Tensor) -> Tensor:
    """Return the ``(side, side, side)`` map of a padded spectrum; nothing is done about interpolation."""
    padded = spectrum.shape[0]
    side = padded // PADDING
    volume = torch.fft.irfftn(spectrum, s=(padded,) * 3)
    middle: Tensor = torch.roll(volume, (side // 2,) * 3, (0, 1, 2))[:side, :side, :side]
    return middle


def interpolated(side_px: int, device: torch.device | None = None) -> Tensor:
    """Return what linear interpolation of its spectrum multiplies a map by, ``(side_px,) * 3``."""
    along = torch.sinc((torch.arange(side_px, device=device) - side_px // 2) / (PADDING * side_px)) ** 2
    return along[:, None, None] * along[:, None] * along


def slices(spectrum: Tensor, points: Tensor) -> Tensor:
    """Return the complex values of a padded spectrum at ``(..., 3)`` points x, y, z."""
    flat = spectrum.flatten()
    is_mate, eight = corners(points, spectrum.shape[0] // PADDING)
    values = torch.zeros(points.shape[:-1], dtype=flat.dtype, device=flat.device)
    for place, weight in eight:
        values += flat[place] * weight
    return torch.where(is_mate, values.conj(), values)
