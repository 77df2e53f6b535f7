"""Particle sets for tests: projections through a CTF, off centre, with noise, in a stack."""

from pathlib import Path

import mrcfile
import numpy as np
import torch

from cryopick_ray.particles.particle_ctf import CtfParameters, ctfs

BOX_PX, PIXEL_SIZE_A = 32, 6.0


def picture(kind, box_px=BOX_PX):
    """Return a shape without symmetry: three blobs, apart in another way for each kind."""
    y, x = np.indices((box_px, box_px)) - box_px // 2
    places = {
        "long": [(-8, 0, 0.6), (-1, 0, 1.0), (6, 1, 1.9)],
        "bent": [(-5, -3, 1.2), (0, 4, 1.0), (6, -3, 0.8)],
    }[kind]
    return sum(a * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 8) for cx, cy, a in places).astype(np.float32)


def turned(image, psi_deg, shift_px):
    """Return a picture as RELION's psi turns it, in real space, moved away by ``shift_px``."""
    from scipy.ndimage import affine_transform

    psi = np.deg2rad(psi_deg)
    # A point r of the picture comes to R r + shift; output -> input in rows and columns (y, x).
    back = np.array([[np.cos(psi), np.sin(psi)], [-np.sin(psi), np.cos(psi)]])
    middle = np.array(image.shape) // 2
    moved = np.array([shift_px[1], shift_px[0]])
    return affine_transform(image, back, middle - back @ (middle + moved), order=3)


def some_ctfs(rng, n):
    """Return parameters as a microscope has them."""
    u_A = rng.uniform(10_000, 20_000, n)
    one = np.ones(n)
    return CtfParameters(u_A, u_A - 200, rng.uniform(0, 180, n), 0 * one, 300 * one, 2.7 * one, 0.1 * one)


def write_set(folder: Path, images, parameters=None):
    """Write a stack and its STAR file; return the STAR file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    n, box_px, _ = images.shape
    with mrcfile.new(folder / "particles.mrcs", overwrite=True) as file:
        file.set_data(images.astype(np.float32))
        file.set_image_stack()
        file.voxel_size = PIXEL_SIZE_A
    optics = {
        "rlnOpticsGroupName": "one",
        "rlnOpticsGroup": 1,
        "rlnImagePixelSize": PIXEL_SIZE_A,
        "rlnImageSize": box_px,
        "rlnVoltage": 300,
        "rlnSphericalAberration": 2.7,
        "rlnAmplitudeContrast": 0.1,
        "rlnImageDimensionality": 2,
    }
    names = ["rlnImageName", "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnOpticsGroup"]
    rows = [
        f"{i + 1:06d}@particles.mrcs mics/{i // 20}.mrc {40 * (i % 20) + 20.5} {100 + i} 1" for i in range(n)
    ]
    if parameters is not None:
        names += ["rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle"]
        p = parameters
        rows = [
            f"{row} {p.defocus_u_A[i]:.1f} {p.defocus_v_A[i]:.1f} {p.defocus_angle_deg[i]:.2f}"
            for i, row in enumerate(rows)
        ]
    head = "\n".join(f"_{name}" for name in optics)
    lines = "\n".join(f"_{name}" for name in names)
    (folder / "particles.star").write_text(
        f"\ndata_optics\n\nloop_\n{head}\n{' '.join(map(str, optics.values()))}\n\n\n"
        f"data_particles\n\nloop_\n{lines}\n" + "\n".join(rows) + "\n"
    )
    return folder / "particles.star"


def seen(pictures, parameters, rng, noise=1.0):
    """Return images of pictures through their CTFs, with noise."""
    spectra = torch.fft.rfft2(torch.from_numpy(pictures))
    if parameters is not None:
        spectra = spectra * ctfs(parameters, pictures.shape[-1], PIXEL_SIZE_A)
    clean = torch.fft.irfft2(spectra, s=pictures.shape[-2:]).numpy()
    return clean + rng.normal(0, noise, clean.shape).astype(np.float32)


def two_kinds(folder: Path, n=240, noise=0.35, junk=0, seed=0, kinds=("long", "bent")):
    """Write a set of two kinds of particles and of junk; return its path and what each image is of."""
    rng = np.random.default_rng(seed)
    kind = np.array([kinds[i % len(kinds)] for i in range(n - junk)] + ["junk"] * junk)
    kind = kind[rng.permutation(n)]
    empty = np.zeros((BOX_PX, BOX_PX), np.float32)
    pictures = np.stack(
        [
            empty if one == "junk" else turned(picture(one), rng.uniform(0, 360), rng.normal(0, 1, 2))
            for one in kind
        ]
    )
    parameters = some_ctfs(rng, n)
    # Normalised, as RELION expects it: noise of variance 1.
    return write_set(folder, seen(pictures / noise, parameters, rng), parameters), kind
