"""A lumpy molecule without symmetry, images of it, and stacks of them as RELION has them."""

import mrcfile
import numpy as np

from cryopick_ray.particles.particle_ctf import CtfParameters, ctfs
from cryopick_ray.simulate.projection import euler_to_rotations, project

SIDE, PIXEL_A = 32, 4.0


def molecule(side=SIDE, seed=0, lumps=12, width_px=1.2):
    """A ``(side, side, side)`` sum of Gaussians within 0.3 of a side from the middle."""
    rng = np.random.default_rng(seed)
    along = np.arange(side) - side // 2
    z, y, x = np.meshgrid(along, along, along, indexing="ij")
    made = np.zeros((side,) * 3)
    for _ in range(lumps):
        at = rng.normal(size=3)
        at *= 0.25 * side * rng.uniform(0.2, 1) / np.linalg.norm(at)
        made += np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2 + (z - at[2]) ** 2) / (2 * width_px**2))
    return made.astype(np.float32)


def random_angles(n, seed=0):
    rng = np.random.default_rng(seed)
    rot, psi = rng.uniform(-180, 180, (2, n))
    return np.stack([rot, np.rad2deg(np.arccos(rng.uniform(-1, 1, n))), psi], axis=1)


def defocus(n, seed=0):
    rng = np.random.default_rng(seed)
    u_A = rng.uniform(10_000, 25_000, n).round(1)
    full = np.full(n, 1.0)
    return CtfParameters(
        u_A, u_A - 300, rng.uniform(0, 180, n).round(2), 0 * full, 300 * full, 2.7 * full, 0.1 * full
    )


def images_of(volume, angles, ctf=None, shift_px=None, noise=0.0, seed=0):
    """Projections times their transfer functions, moved by -shift, with white noise."""
    side = len(volume)
    spectra = np.fft.rfft2(project(volume, euler_to_rotations(angles)))
    if ctf is not None:
        spectra = spectra * ctfs(ctf, side, PIXEL_A).numpy()
    if shift_px is not None:
        x, y = np.fft.rfftfreq(side), np.fft.fftfreq(side)[:, None]
        turn = shift_px[:, 0, None, None] * x + shift_px[:, 1, None, None] * y
        spectra = spectra * np.exp(2j * np.pi * turn)
    images = np.fft.irfft2(spectra, (side, side))
    return (images + noise * np.random.default_rng(seed).normal(size=images.shape)).astype(np.float32)


def write_stack(folder, images, *, angles=None, ctf=None, origin_A=None, subset=None, name="particles"):
    """Write ``name.mrcs`` and ``name.star`` in a folder; return the STAR file."""
    n, side = len(images), images.shape[1]
    with mrcfile.new(folder / f"{name}.mrcs", overwrite=True) as mrc:
        mrc.set_data(images.astype(np.float32))
        mrc.set_image_stack()
        mrc.voxel_size = PIXEL_A
    columns = {"rlnImageName": [f"{number:06d}@{name}.mrcs" for number in range(1, n + 1)]}
    columns["rlnOpticsGroup"] = ["1"] * n
    if angles is not None:
        columns |= dict(zip(("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"), _words(angles), strict=True))
    if origin_A is not None:
        columns |= dict(zip(("rlnOriginXAngst", "rlnOriginYAngst"), _words(origin_A), strict=True))
    if ctf is not None:
        values = np.stack([ctf.defocus_u_A, ctf.defocus_v_A, ctf.defocus_angle_deg], axis=1)
        columns |= dict(zip(("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle"), _words(values), strict=True))
    if subset is not None:
        columns["rlnRandomSubset"] = [str(number) for number in subset]
    optics = {
        "rlnOpticsGroup": ["1"],
        "rlnOpticsGroupName": ["made"],
        "rlnVoltage": ["300.0"],
        "rlnSphericalAberration": ["2.7"],
        "rlnAmplitudeContrast": ["0.1"],
        "rlnImagePixelSize": [f"{PIXEL_A}"],
        "rlnImageSize": [str(side)],
        "rlnImageDimensionality": ["2"],
    }
    path = folder / f"{name}.star"
    path.write_text(_block("optics", optics) + _block("particles", columns))
    return path


def _words(values):
    return [[f"{value:.6f}" for value in column] for column in values.T]


def _block(name, columns):
    head = "".join(f"_{column} #{number}\n" for number, column in enumerate(columns, 1))
    rows = "\n".join(" ".join(row) for row in zip(*columns.values(), strict=True))
    return f"\ndata_{name}\n\nloop_\n{head}{rows}\n\n"
