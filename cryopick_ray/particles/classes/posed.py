"""Sums of images whose class, turn and shift are known: how classes of RELION come by half sets."""

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.particles.classes.components import Components, soft_disc
from cryopick_ray.particles.classes.model import ClassSums, total
from cryopick_ray.particles.classes.progress import WorkFiles
from cryopick_ray.particles.classes.schedule import ClassPlan
from cryopick_ray.particles.classes.turning import Turning, psi_grid

PSI_STEP_DEG = 3.0
"""To which angles are rounded."""


def posed_halves(
    plan: ClassPlan,
    files: WorkFiles,
    label: NDArray[np.int64],
    psi_deg: NDArray[np.float64],
    shift_A: NDArray[np.float64],
) -> tuple[tuple[ClassSums, ClassSums], torch.Tensor]:
    """Return what the half sets add up to in given poses, and the noise by shell.

    Parameters
    ----------
    files
        Where the images of all parts lie ready.
    shift_A
        ``(n, 2)``, beyond the origins that images came with.
    """
    turning = Turning(plan.components, plan.side_px, psi_grid(PSI_STEP_DEG))
    turned = np.rint(psi_deg / PSI_STEP_DEG).astype(np.int64) % len(turning.psi_deg)
    sums = []
    for part in range(plan.parts):
        places = plan.places(part)
        image, ctf = (torch.from_numpy(np.load(path)) for path in (files.images(part), files.ctfs(part)))
        shift_px = torch.from_numpy(shift_A[places] / plan.pixel_size_A).to(torch.float32)
        moved = image * plan.components.shifts(shift_px) * ctf
        sums.append(_part(plan, turning, moved, ctf, label[places], turned[places], image))
    whole = total(sums)
    # Without a model to subtract, nearly all of an image is noise.
    noise = whole.residual / (plan.components.sizes.clamp(min=1) * plan.count)
    noise[0] = noise[1]
    return (total(sums[::2]), total(sums[1::2])), noise


def _part(
    plan: ClassPlan,
    turning: Turning,
    moved: torch.Tensor,
    ctf: torch.Tensor,
    label: NDArray[np.int64],
    turned: NDArray[np.int64],
    image: torch.Tensor,
) -> ClassSums:
    classes, turns = plan.classes, len(turning.psi_deg)
    flat = moved.new_zeros((classes * turns, moved.shape[1]))
    flat.index_add_(0, torch.from_numpy(label * turns + turned), moved)
    circle = torch.from_numpy(soft_disc(plan.side_px, plan.side_px / 2 - 2, 2.0))
    pictures = turning.turn_back(flat.reshape(classes, turns, -1)) * circle
    small = Components(plan.side_px, plan.components.radius)
    member = torch.nn.functional.one_hot(torch.from_numpy(label), classes).T.to(torch.float32)
    return ClassSums(
        signal=small.of_images(pictures) * (plan.box_px / plan.side_px),
        transfer=member @ ctf**2,
        residual=plan.components.by_shell((image.abs() ** 2).sum(dim=0)),
        weight=member.sum(dim=1),
        offset_A2=torch.zeros(()),
    )
