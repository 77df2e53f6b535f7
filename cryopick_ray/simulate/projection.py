"""Orientations, and projections of a volume by Fourier slicing.

A rotation is a ``(3, 3)`` matrix R that takes a molecule's x, y, z to the microscope's: a point r of
the molecule appears in the image at column ``(R r)_x`` and row ``(R r)_y`` from the centre, and the
beam runs along z. This is RELION's matrix of its Euler angles, ``R = (Rz(rot) Ry(tilt) Rz(psi))^T``
(Heymann, Chagoyen, Belnap 2005, J. Struct. Biol. 151:196).
"""

import numpy as np
import scipy.fft
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from torch_fourier_slice import extract_central_slices_rfft_3d

from cryopick_ray.errors import UsageError
from cryopick_ray.units import is_positive

Rotations = NDArray[np.float64]

PADDING = 2  # the slice is interpolated linearly: half the frequency step keeps ghosts out
BATCH = 8  # slices at a time; more only takes memory


def random_rotations(rng: np.random.Generator, n: int) -> Rotations:
    """Return ``(n, 3, 3)`` rotations drawn evenly: unit quaternions of four normal deviates."""
    return np.asarray(Rotation.from_quat(rng.normal(size=(n, 4))).as_matrix()).reshape(n, 3, 3)


def preferred_rotations(
    rng: np.random.Generator, n: int, axis: ArrayLike = (0.0, 0.0, 1.0), spread_deg: float = 10.0
) -> Rotations:
    """Return ``(n, 3, 3)`` rotations that look along one axis of the molecule, more or less.

    The viewing directions follow a von Mises-Fisher distribution, for a small spread a normal one
    on the sphere; the angle in the plane of the image is even.

    Parameters
    ----------
    axis
        Direction (x, y, z) in the molecule that points along the beam.
    spread_deg
        Standard deviation of the tilt along either direction, in degrees.

    Raises
    ------
    UsageError
        The axis has no direction or the spread is not positive.
    """
    direction = np.asarray(axis, np.float64)
    length = float(np.linalg.norm(direction))
    if not (is_positive(spread_deg) and is_positive(length)):
        raise UsageError(
            f"preferred axis {direction.tolist()}, spread {spread_deg:g} degrees: expected both above 0"
        )
    x, y, z = direction / length
    kappa = 1 / np.deg2rad(spread_deg) ** 2
    u = rng.uniform(size=n)
    cosine = np.clip(1 + np.log(u + (1 - u) * np.exp(-2 * kappa)) / kappa, -1, 1)
    azimuth, psi = rng.uniform(-180, 180, size=(2, n))
    about_z = euler_to_rotations(np.stack([azimuth, np.rad2deg(np.arccos(cosine)), psi], axis=1))
    axis_to_z = euler_to_rotations([np.rad2deg([np.arctan2(y, x), np.arctan2(np.hypot(x, y), z), 0.0])])
    return np.asarray(about_z @ axis_to_z)


def euler_to_rotations(angles_deg: ArrayLike) -> Rotations:
    """Return the ``(n, 3, 3)`` rotations of ``(n, 3)`` angles rlnAngleRot, Tilt and Psi in degrees."""
    rot, tilt, psi = np.deg2rad(np.asarray(angles_deg, np.float64).reshape(-1, 3)).T
    ca, cb, cg, sa, sb, sg = np.cos(rot), np.cos(tilt), np.cos(psi), np.sin(rot), np.sin(tilt), np.sin(psi)
    rows = [
        [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
        [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
        [sb * ca, sb * sa, cb],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def rotations_to_euler(rotations: ArrayLike) -> NDArray[np.float64]:
    """Return rlnAngleRot, Tilt (0 to 180) and Psi in degrees, ``(n, 3)``, of ``(n, 3, 3)`` rotations.

    Where tilt is 0 or 180 only one angle in the plane is left: rot is 0 and psi takes all.
    """
    r = np.asarray(rotations, np.float64).reshape(-1, 3, 3)
    sine = np.hypot(r[:, 2, 0], r[:, 2, 1])
    upright = sine < 1e-7
    tilt = np.where(upright, np.where(r[:, 2, 2] > 0, 0, np.pi), np.arctan2(sine, r[:, 2, 2]))
    rot = np.where(upright, 0, np.arctan2(r[:, 2, 1], r[:, 2, 0]))
    psi = np.where(upright, np.arctan2(r[:, 0, 1], r[:, 1, 1]), np.arctan2(r[:, 1, 2], -r[:, 0, 2]))
    return np.asarray(np.rad2deg(np.stack([rot, tilt, psi], axis=1)))


def project(density: NDArray[np.float32], rotations: ArrayLike) -> NDArray[np.float32]:
    """Project a volume along the beam in each orientation.

    The transform of a projection is a central slice of the volume's transform (de Rosier, Klug
    1968, Nature 217:130), here interpolated linearly after padding twofold: within 1 % of the
    brightest pixel, 3 % where the rotation lies on the grid. Frequencies up to Nyquist, in a
    circle, are kept. Memory: about five times the padded volume, 40 bytes x (2 d)^3 / 2.

    Parameters
    ----------
    density
        ``(d, d, d)`` float32, axes z, y, x, ``d`` even, its origin at voxel ``d // 2``; close to zero at
        its faces in every orientation.
    rotations
        ``(n, 3, 3)``, molecule to microscope.

    Returns
    -------
    ``(n, d, d)`` float32: sums over voxels along z, origin at pixel ``d // 2``. Times the voxel size
    it is the projected potential.

    Raises
    ------
    UsageError
        The volume is not an even-sided cube, or a matrix is no rotation.
    """
    side = density.shape[0]
    if density.shape != (side, side, side) or side % 2:
        raise UsageError(f"a volume of {density.shape} voxels: expected a cube with an even side")
    matrices = np.asarray(rotations, np.float64).reshape(-1, 3, 3)
    if not np.allclose(matrices @ matrices.transpose(0, 2, 1), np.eye(3), atol=1e-4):
        raise UsageError("rotations: expected orthogonal (3, 3) matrices")
    # A slice is sampled at k of the volume where R^T k lies, hence the transpose.
    turned = torch.from_numpy(matrices.transpose(0, 2, 1).astype(np.float32))
    projections = np.empty((len(turned), side, side), np.float32)
    with torch.inference_mode():
        spectrum = _centred_spectrum(torch.from_numpy(density))
        total = float(density.sum(dtype=np.float64))
        for start in range(0, len(turned), BATCH):
            batch = slice(start, start + BATCH)
            slices = extract_central_slices_rfft_3d(spectrum, turned[batch], fftfreq_max=0.5)
            # Zero frequency lies on a sample, where nothing is interpolated and nothing to undo.
            slices[:, slices.shape[1] // 2, 0] = total
            projections[batch] = _images(slices, side).numpy()
    return projections


def _centred_spectrum(volume: torch.Tensor) -> torch.Tensor:
    """Return the padded volume's half spectrum, zero frequency in the middle of the first two axes.

    Linear interpolation in Fourier space multiplies real space by sinc^2, which is divided out first.
    """
    side, padded_side = volume.shape[0], _padded_side(volume.shape[0])
    along = torch.sinc((torch.arange(side) - side // 2) / padded_side) ** -2
    volume = volume * along[:, None, None] * along[:, None] * along
    padded = torch.zeros((padded_side,) * 3)
    padded[:side, :side, :side] = volume
    spectrum: torch.Tensor = torch.fft.rfftn(torch.roll(padded, (-(side // 2),) * 3, (0, 1, 2)))
    shifted: torch.Tensor = torch.fft.fftshift(spectrum, dim=(0, 1))
    return shifted


def _images(slices: torch.Tensor, side: int) -> torch.Tensor:
    """Return the ``(n, side, side)`` middles of the images whose half spectra are given."""
    padded_side = slices.shape[-2]
    images = torch.fft.irfftn(torch.fft.ifftshift(slices, dim=-2), s=(padded_side, padded_side), dim=(-2, -1))
    inner = slice((padded_side - side) // 2, (padded_side + side) // 2)
    middles: torch.Tensor = torch.fft.fftshift(images, dim=(-2, -1))[:, inner, inner]
    return middles


def _padded_side(side: int) -> int:
    """Return the next side from twice ``side`` on that is quick to transform and pads evenly."""
    return 4 * scipy.fft.next_fast_len(-(-PADDING * side // 4), real=True)
