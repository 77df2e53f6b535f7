"""Maps as a perfect network would answer them, of filaments whose axes are known."""

import numpy as np
from scipy.spatial import cKDTree

WIDTH = 5.0
SIGMA = 1.1


def line(start, end):
    """Return points every 0.25 px of a straight axis."""
    start, end = np.array(start, float), np.array(end, float)
    count = int(np.hypot(*(end - start)) * 4) + 1
    return start + np.linspace(0, 1, count)[:, None] * (end - start)


def through(centre, angle_deg, length):
    angle = np.deg2rad(angle_deg)
    half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    return line(np.array(centre) - half, np.array(centre) + half)


def arc(centre, radius, start_deg, stop_deg):
    count = int(abs(np.deg2rad(stop_deg - start_deg)) * radius * 4) + 1
    angle = np.deg2rad(np.linspace(start_deg, stop_deg, count))
    return np.array(centre) + radius * np.column_stack([np.cos(angle), np.sin(angle)])


def wavy(rng, start, angle_deg, length, least_radius):
    """Return a random axis, nowhere bent more than a circle of that radius."""
    count = int(length * 4)
    knots = rng.uniform(-1, 1, int(length / 20) + 3)
    bend = np.interp(np.arange(count), np.linspace(0, count, len(knots)), knots) / least_radius
    angle = np.deg2rad(angle_deg) + np.cumsum(bend) / 4
    return np.array(start) + np.cumsum(np.column_stack([np.cos(angle), np.sin(angle)]), axis=0) / 4


def maps(shape, axes, *, noise=0.0, nearest=False, seed=0, gaps=()):
    """Return ridge, cos2, sin2 of axes; ``gaps`` are (x, y, radius) without an axis."""
    h, w = shape
    ridge, weight = np.zeros(shape), np.full(shape, 1e-9)
    cos2, sin2 = np.zeros(shape), np.zeros(shape)
    for points in axes:
        steps = np.gradient(points, axis=0)
        angle = 2 * np.arctan2(steps[:, 1], steps[:, 0])
        around = np.zeros(shape, bool)
        cells = np.unique(np.round(points).astype(int), axis=0)
        for dy in range(-5, 6):
            for dx in range(-5, 6):
                x, y = cells.T + np.array([[dx], [dy]])
                fits = (x >= 0) & (x < w) & (y >= 0) & (y < h)
                around[y[fits], x[fits]] = True
        row, column = np.nonzero(around)
        far, which = cKDTree(points).query(np.column_stack([column, row]))
        value = np.exp(-((far / SIGMA) ** 2) / 2)
        wins = value > ridge[row, column]
        if nearest:
            row, column, value, which = row[wins], column[wins], value[wins], which[wins]
            cos2[row, column], sin2[row, column] = np.cos(angle[which]), np.sin(angle[which])
            ridge[row, column] = value
        else:
            np.add.at(cos2, (row, column), value * np.cos(angle[which]))
            np.add.at(sin2, (row, column), value * np.sin(angle[which]))
            weight[row, column] += value
            ridge[row, column] = np.maximum(ridge[row, column], value)
    if not nearest:
        cos2, sin2 = cos2 / weight, sin2 / weight
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w]
    for gx, gy, radius in gaps:
        ridge[np.hypot(x - gx, y - gy) < radius] = 0
    if noise:
        from scipy.ndimage import gaussian_filter

        blur = lambda: gaussian_filter(rng.standard_normal(shape), 1.0) * 3.5  # noqa: E731
        ridge = np.clip(ridge * (1 + noise * blur()) + 0.5 * noise * np.abs(blur()), 0, 1)
        cos2, sin2 = cos2 + noise * blur(), sin2 + noise * blur()
    return ridge.astype(np.float32), cos2.astype(np.float32), sin2.astype(np.float32)


def distances(trace, axis):
    """Return how far each vertex of a trace is from an axis."""
    return cKDTree(axis).query(trace.points)[0]
