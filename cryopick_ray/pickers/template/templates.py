"""Templates: projections of a known particle in all orientations, at the scale of the search."""

import math
import re

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor, nn
from torch_fourier_slice import project_3d_to_2d

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.provenance import LearntSet, Provenance
from cryopick_ray.pickers.weights import ModelCard, weights_digest
from cryopick_ray.units import is_positive, working_pixel_size_A

ARCHITECTURE = "template"
NORMALISATION = "robust"
MASK = 0.6
"""Mask radius in diameters: a particle and a rim of the ice around it."""
ALIKE = 0.93
"""Of two views that correlate better than this, one is enough: half as many as with 0.95, equal F1."""
SIZES_PX = (6.0, 32.0)
STEPS_DEG = (7.0, 90.0)  # 7: 43,000 views before those alike are left out
MAX_COUNT = 1000
MAX_BOX_PX = 41  # the disc of the largest particle
MAX_NAME = 100  # characters of a card's name
BATCH = 256  # views at a time


class Templates(nn.Module):
    """Templates of one particle, as a network of fixed kernels.

    Parameters
    ----------
    architecture
        ``template``.
    count, box_px
        Number of templates, and their side in pixels, odd.

    Attributes
    ----------
    templates
        ``(count, box_px, box_px)`` float32, dark particle on bright ice; each has zero mean inside the
        disc of :func:`disc` and unit norm, and is zero outside.
    """

    def __init__(self, architecture: str, count: int, box_px: int) -> None:
        super().__init__()
        if architecture != ARCHITECTURE:
            raise ModelError(f"unknown architecture {architecture!r}; expected {ARCHITECTURE!r}")
        if not (1 <= count <= MAX_COUNT and 3 <= box_px <= MAX_BOX_PX and box_px % 2):
            raise ModelError(
                f"{count} templates of {box_px} px: expected 1 to {MAX_COUNT}, "
                f"and an odd side of 3 to {MAX_BOX_PX}"
            )
        self.templates: Tensor
        self.register_buffer("templates", torch.zeros(count, box_px, box_px))


def make_templates(
    volume: NDArray[np.float32],
    voxel_size_A: float,
    diameter_A: float,
    particle_px: float,
    angular_step_deg: float,
) -> Templates:
    """Project a map in all orientations, one every ``angular_step_deg`` or so.

    Viewing directions lie evenly on a half sphere (golden-angle spiral); a view from the other side is the
    mirror image. Each is turned in its plane in equal steps. Views that correlate better than
    :data:`ALIKE` with one already taken are left out: a symmetric particle has few.

    Parameters
    ----------
    volume
        ``(d, d, d)`` map, axes z, y, x, matter positive, its origin at voxel ``d // 2``.
    voxel_size_A
        Voxel side in angstroms.
    diameter_A, particle_px
        The particle's diameter, and how many pixels that becomes.
    angular_step_deg
        Angle between neighbouring views.

    Raises
    ------
    UsageError
        The volume is no cube or holds no density, or a number is out of range.
    """
    check_settings(diameter_A, particle_px, angular_step_deg)
    if volume.ndim != 3 or len(set(volume.shape)) != 1 or not is_positive(voxel_size_A):
        raise UsageError(
            f"a volume of {volume.shape} voxels of {voxel_size_A:g} A: expected a cube, and a size above 0"
        )
    pixel_size_A = working_pixel_size_A(diameter_A, particle_px)
    mask = disc(particle_px)
    small = torch.from_numpy(_resampled(volume, voxel_size_A, pixel_size_A, len(mask) + 1))
    orientations = torch.from_numpy(_orientations(angular_step_deg).astype(np.float32))
    kept = torch.zeros(0, int(mask.sum()))
    with torch.inference_mode():
        for start in range(0, len(orientations), BATCH):
            views = project_3d_to_2d(small, orientations[start : start + BATCH], fftfreq_max=0.5)
            views = -views[:, 1:, 1:]  # from an even side with its origin at half of it to an odd one
            values = torch.cat([views, views.flip(-1)])[:, mask]
            values -= values.mean(dim=1, keepdim=True)
            norm = torch.linalg.vector_norm(values, dim=1, keepdim=True)
            if not bool((norm > 0).all() & torch.isfinite(norm).all()):
                raise UsageError(f"no density within `diameter_A` {diameter_A:g} A of the middle of the map")
            kept = _with_unlike(kept, values / norm, angular_step_deg)
    network = Templates(ARCHITECTURE, len(kept), len(mask))
    network.templates[:, mask] = kept
    return network.eval()


def disc(particle_px: float) -> Tensor:
    """Return the square bool mask, odd-sided, inside which templates and image are compared."""
    reach = box_for(particle_px) // 2
    square = torch.arange(-reach, reach + 1) ** 2
    return square[:, None] + square <= (MASK * particle_px) ** 2


def box_for(particle_px: float) -> int:
    """Return the side in pixels of the templates of a particle."""
    return 2 * math.ceil(MASK * particle_px) + 1


def check_settings(diameter_A: float, particle_px: float, angular_step_deg: float) -> None:
    """Raise UsageError if no templates can be made with these numbers."""
    if not is_positive(diameter_A):
        raise UsageError(f"`diameter_A` {diameter_A:g}: expected a length in angstroms above 0")
    for option, value, (low, high) in (
        ("`particle_px`", particle_px, SIZES_PX),
        ("`angular_step_deg`", angular_step_deg, STEPS_DEG),
    ):
        if not low <= value <= high:
            raise UsageError(f"{option} {value:g}: expected {low:g} to {high:g}")


def template_card(network: Templates, name: str, particle_px: float, *, views: str, source: str) -> ModelCard:
    """Return the card of templates.

    Parameters
    ----------
    name
        Of the particle; the model is called ``template-NAME``.
    views, source
        How they were made, and the map's name.
    """
    count, box_px, _ = network.templates.shape
    return ModelCard(
        name=f"template-{re.sub(r'[^A-Za-z0-9._-]', '-', name)}"[:MAX_NAME],
        architecture=ARCHITECTURE,
        parameters={"count": count, "box_px": box_px},
        particle_px=particle_px,
        normalisation=NORMALISATION,
        trained_on=Provenance(sets=(LearntSet(dataset=name, molecule=name, simulated=True),), note=views),
        licence="that of the map",
        source=source,
        digest=weights_digest(network.state_dict()),
    )


def _orientations(step_deg: float) -> NDArray[np.float64]:
    """Return ``(n, 3, 3)`` rotations from the image's x, y, beam to the map's, viewing from a half sphere."""
    count = math.ceil(2 * math.pi / math.radians(step_deg) ** 2)
    azimuth = np.arange(count) * np.pi * (3 - 5**0.5)
    tilt = np.arccos((np.arange(count) + 0.5) / count)
    psi = np.linspace(0, 2 * np.pi, math.ceil(360 / step_deg), endpoint=False)
    look = Rotation.from_euler("ZY", np.stack([azimuth, tilt], axis=1)).as_matrix()
    turn = Rotation.from_euler("Z", psi[:, None]).as_matrix()
    return np.asarray(look[:, None] @ turn).reshape(-1, 3, 3)


def _resampled(
    volume: NDArray[np.float32], voxel_size_A: float, pixel_size_A: float, side: int
) -> NDArray[np.float32]:
    """Return the volume resampled to ``side`` cubed voxels, low-passed at Nyquist (Lanczos)."""
    old_A = (np.arange(len(volume)) - len(volume) // 2) * voxel_size_A
    new_A = (np.arange(side) - side // 2) * pixel_size_A
    apart = (new_A[:, None] - old_A) / max(pixel_size_A, voxel_size_A)
    kernel = np.where(np.abs(apart) < 3, np.sinc(apart) * np.sinc(apart / 3), 0).astype(np.float32)
    for _ in range(3):  # each turn resamples the first axis and makes it the last
        volume = np.tensordot(volume, kernel, axes=(0, 1))
    return np.ascontiguousarray(volume, np.float32)


def _with_unlike(kept: Tensor, views: Tensor, step_deg: float) -> Tensor:
    """Add those of the unit-length ``(n, pixels)`` views that are unlike the kept ones and each other."""
    fresh = views[(views @ kept.T).amax(dim=1) < ALIKE] if len(kept) else views
    alike = (fresh @ fresh.T >= ALIKE).numpy()
    taken: list[int] = []
    for index in range(len(fresh)):
        if not alike[index, taken].any():
            taken.append(index)
    kept = torch.cat([kept, fresh[taken]])
    if len(kept) > MAX_COUNT:
        raise UsageError(
            f"`angular_step_deg` {step_deg:g} makes more than {MAX_COUNT} unlike templates; give a larger "
            "one, or a smaller `particle_px`"
        )
    return kept
