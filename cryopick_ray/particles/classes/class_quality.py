"""What is measured of each class, to tell particles from junk."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.particles.classes.components import Components, soft_disc
from cryopick_ray.particles.classes.model import ClassSums, averages, picture_of
from cryopick_ray.particles.classes.schedule import ClassPlan

ENOUGH = 0.5
"""Fourier ring correlation of the halves down to which detail is taken for resolved."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassMeasures:
    """Measures of ``k`` classes, each ``(k,)``; of an empty class they mean nothing.

    Attributes
    ----------
    particles
        In the class.
    resolution_A
        Where the Fourier ring correlation (FRC) of the averages of two half sets first falls below .5.
    details
        Such details across the mask.
    agreement
        Correlation of the halves' averages in the mask.
    log_snr
        Decimal logarithm of signal to noise of the average, over all shells, by the halves.
    log_contrast
        Decimal logarithm of the average's variance in the mask over the noise's of one image.
    off_centre
        Distance from the middle to the centre of the bright mass, in radii of the mask.
    at_edge
        Share of the squared average in the outer third of the mask's radius.
    brightness
        Mean over standard deviation in the mask: particles are brighter than the ice.
    lumpiness
        Share of the average's power that is coarser than a third of the mask.
    roundness
        Share of its power that is left if it is averaged over turns.
    probability
        Mean probability of its images' best class, turn and shift.
    wander
        Standard deviation of its images' shifts, in radii of the mask.
    """

    particles: Numbers
    resolution_A: Numbers
    details: Numbers
    agreement: Numbers
    log_snr: Numbers
    log_contrast: Numbers
    off_centre: Numbers
    at_edge: Numbers
    brightness: Numbers
    lumpiness: Numbers
    roundness: Numbers
    probability: Numbers
    wander: Numbers

    def table(self) -> dict[str, Numbers]:
        """Return the measures by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def measure(
    plan: ClassPlan,
    halves: tuple[ClassSums, ClassSums],
    noise: torch.Tensor,
    label: NDArray[np.int64],
    shift_A: Numbers,
    probability: Numbers,
) -> ClassMeasures:
    """Measure classes by their averages, by their halves, and by where their images lie."""
    components, side = plan.components, plan.side_px
    mask_px = plan.mask_A / plan.pixel_size_A
    both, _ = averages(halves[0] + halves[1], components, noise)
    picture = picture_of(both, components, side, mask_px)
    own = [picture_of(averages(half, components, noise)[0], components, side, mask_px) for half in halves]
    small = Components(side, components.radius)
    frc = ring_correlation(small, *own)
    last = _resolved(frc)
    snr = (2 * frc[:, 1:] / (1 - frc[:, 1:]).clamp(min=0.02)).clamp(min=0).mean(dim=1)
    count = np.bincount(label, minlength=len(picture)).astype(np.float64)
    box_A = plan.box_px * plan.pixel_size_A
    inside = torch.from_numpy(soft_disc(side, mask_px * side / plan.box_px / 2, 1.0))
    variance = (picture**2 * inside).sum(dim=(1, 2)) / inside.sum()
    by_turns, coarse = _power_shares(small, picture, box_A / plan.mask_A)
    away_A = shift_A - _mean(label, shift_A, count)[label]
    wander = np.sqrt(_mean(label, away_A**2, count).sum(axis=1) / 2)
    centre, edge, bright = _shape(picture, inside, mask_px * side / plan.box_px / 2)
    return ClassMeasures(
        particles=count,
        resolution_A=box_A / last,
        details=plan.mask_A / box_A * last,
        agreement=_numbers(_correlation(own[0] * inside, own[1] * inside)),
        log_snr=_numbers(torch.log10(snr + 1e-3)),
        log_contrast=_numbers(torch.log10(variance / noise[1:].mean() + 1e-6)),
        off_centre=centre,
        at_edge=edge,
        brightness=bright,
        lumpiness=coarse,
        roundness=by_turns,
        probability=_mean(label, probability[:, None], count)[:, 0],
        wander=2 * wander / plan.mask_A,
    )


def ring_correlation(components: Components, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the ``(k, s)`` Fourier ring correlation of two sets of pictures; 0 of empty ones."""
    a, b = components.of_images(one), components.of_images(other)
    norm = components.by_shell(a.abs() ** 2) * components.by_shell(b.abs() ** 2)
    return components.by_shell((a * b.conj()).real) / norm.sqrt().clamp(min=1e-20)


def _resolved(frc: torch.Tensor) -> Numbers:
    """Return the last shell, at least 1, before the correlation falls below .5; shells between are shares."""
    found = np.ones(len(frc))
    for row, curve in enumerate(frc.numpy().astype(np.float64)):
        below = np.flatnonzero(curve[1:] < ENOUGH)
        shell = int(below[0]) + 1 if len(below) else len(curve)
        if shell == len(curve) or shell == 1:
            found[row] = max(1, shell - 1)
        else:
            above, under = curve[shell - 1], curve[shell]
            found[row] = shell - 1 + (above - ENOUGH) / max(above - under, 1e-9)
    return found


def _correlation(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    norm = (one**2).sum(dim=(1, 2)) * (other**2).sum(dim=(1, 2))
    return (one * other).sum(dim=(1, 2)) / norm.sqrt().clamp(min=1e-20)


def _power_shares(components: Components, picture: torch.Tensor, shells: float) -> tuple[Numbers, Numbers]:
    """Return how much of the power is left when averaged over turns, and how much is coarse."""
    values = components.of_images(picture)
    power = components.by_shell(values.abs() ** 2)
    mean = components.by_shell(values.real) / components.sizes.clamp(min=1)
    whole = power.sum(dim=1).clamp(min=1e-20)
    turned = (mean**2 * components.sizes).sum(dim=1) / whole
    coarse = power[:, : int(3 * shells) + 1].sum(dim=1) / whole
    return _numbers(turned), _numbers(coarse)


def _shape(picture: torch.Tensor, inside: torch.Tensor, radius_px: float) -> tuple[Numbers, Numbers, Numbers]:
    side = picture.shape[-1]
    line = torch.arange(side) - side // 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    bright = (picture * inside).clamp(min=0)
    mass = bright.sum(dim=(1, 2)).clamp(min=1e-20)
    centre = torch.hypot((bright * x).sum(dim=(1, 2)) / mass, (bright * y).sum(dim=(1, 2)) / mass)
    square = picture**2
    outer = torch.hypot(x.float(), y.float()) > 2 / 3 * radius_px
    edge = (square * outer).sum(dim=(1, 2)) / square.sum(dim=(1, 2)).clamp(min=1e-20)
    mean = (picture * inside).sum(dim=(1, 2)) / inside.sum()
    spread = ((picture - mean[:, None, None]) ** 2 * inside).sum(dim=(1, 2)) / inside.sum()
    return _numbers(centre / radius_px), _numbers(edge), _numbers(mean / spread.sqrt().clamp(min=1e-20))


def _mean(label: NDArray[np.int64], values: Numbers, count: Numbers) -> Numbers:
    """Return the ``(k, c)`` means of ``(n, c)`` values by class."""
    sums = np.stack([np.bincount(label, column, len(count)) for column in values.T], axis=1)
    return sums / np.maximum(count, 1)[:, None]


def _numbers(values: torch.Tensor) -> Numbers:
    return values.cpu().numpy().astype(np.float64)
