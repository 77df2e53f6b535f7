"""Fit the built-in molecules: coarse Gaussian models of density maps made from PDB entries.

    python examples/05_fit_molecules.py MAPS [FINER_MAPS ...] --out molecules.safetensors

MAPS holds ``<pdb>.mrc`` for every row of PARTICLES; a map of the same name in a later folder (a
finer voxel) is preferred. The maps are low-passed (about 5 A standard deviation, seen in their
spectra) and lie on different scales: each is brought to zero background and unit sum, and the
Gaussians are fitted so that they match it after the same low-pass, which undoes it as far as the
voxels allow.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import mrcfile
import numpy as np
import scipy.fft
import torch
from safetensors.numpy import save_file
from scipy.cluster.vq import kmeans2

BLUR_A = {5.0: 4.5, 10.0: 5.3}  # by voxel size: low-pass of the maps, and averaging over the voxel
GAUSSIANS_PER_KDA, FEWEST, MOST = 1.2, 60, 800
SMALLEST_SIGMA_A = 2.5
STEPS = 400


class Particle(NamedTuple):
    """What the map does not say. Masses are those of the whole particle shown, to about 5 %."""

    pdb: str
    name: str
    aliases: tuple[str, ...]
    family: str
    mass_kDa: float
    note: str


PARTICLES = [
    Particle("3qm1", "esterase", (), "globular", 31, "cinnamoyl esterase LJ0536, one chain"),
    Particle("1s3x", "hsp70-atpase", ("hsp70",), "globular", 43, "human Hsp70 ATPase domain"),
    Particle("3h84", "get3", (), "globular", 79, "Get3 dimer"),
    Particle("3gl1", "ssb1-atpase", ("ssb1",), "globular", 85, "two Ssb1 ATPase domains"),
    Particle("2cg9", "hsp90", (), "chaperone", 189, "Hsp90 dimer with two Sba1"),
    Particle("3d2f", "hsp110", ("sse1",), "chaperone", 236, "two Sse1-Hsp70 complexes, the asymmetric unit"),
    Particle("1u6g", "cand1", ("cand1-cul1",), "solenoid", 239, "Cand1-Cul1-Roc1"),
    Particle("3cf3", "p97", ("vcp",), "aaa-atpase", 270, "three chains of p97, half of the hexamer"),
    Particle("1bxn", "rubisco", (), "enzyme", 280, "L4S4, half of the hexadecamer"),
    Particle("1qvr", "clpb", (), "aaa-atpase", 288, "three chains of ClpB"),
    Particle("1f4a", "betagal", ("beta-galactosidase",), "enzyme", 465, "tetramer"),
    Particle("6pxm", "apoferritin", ("ferritin",), "shell", 480, "24 chains, hollow"),
    Particle("3j9i", "proteasome-20s", ("proteasome", "20s"), "proteasome", 690, "archaeal 20S"),
    Particle("4v4r_30S", "ribosome-30s", ("30s",), "ribosome", 800, "small subunit of 4v4r"),
    Particle("6utj", "proteasome-capped", (), "proteasome", 870, "20S with one PA26 cap"),
    Particle("3ipm", "proteasome-double-capped", (), "proteasome", 1050, "20S with two PA26 caps"),
    Particle("4v4r_50S", "ribosome-50s", ("50s",), "ribosome", 1300, "large subunit of 4v4r"),
    Particle("4v4r", "ribosome-70s", ("ribosome", "70s"), "ribosome", 2200, "bacterial 70S"),
    Particle("2uv8", "fatty-acid-synthase", ("fas",), "synthase", 2500, "yeast FAS, carrier domain unseen"),
    Particle("8tux", "capsid", ("pp7",), "capsid", 2700, "PP7 virion, part of its RNA"),
    Particle("4v7r", "ribosome-80s", ("80s",), "ribosome", 3200, "yeast 80S; the map shows three quarters"),
]


def read_map(path: Path) -> tuple[torch.Tensor, float]:
    """Return a map with zero background, unit integral and little empty space, and its voxel in angstroms."""
    with mrcfile.open(path, permissive=False) as file:
        values = np.asarray(file.data, np.float64)
        voxel_A = float(file.voxel_size.x)
    values = np.clip(values - np.median(values), 0, None)  # most of each box is empty
    values[values < 0.01 * values.max()] = 0
    used = np.argwhere(values)
    low, sides = used.min(axis=0), np.ptp(used, axis=0) + 1
    side = scipy.fft.next_fast_len(int(sides.max()) + round(40 / voxel_A))
    cube = np.zeros((side, side, side))
    start = (side - sides) // 2
    place, source = (
        tuple(slice(a, a + n) for a, n in zip(first, sides, strict=True)) for first in (start, low)
    )
    cube[place] = values[source]
    return torch.from_numpy(cube / cube.sum() / voxel_A**3).float(), voxel_A


def first_guess(values: torch.Tensor, voxel_A: float, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Return ``(count, 3)`` centres (z, y, x, angstroms): k-means of points drawn from the density."""
    weights = values.double().numpy().ravel()
    drawn = rng.choice(weights.size, 20 * count, p=weights / weights.sum())
    points = np.stack(np.unravel_index(drawn, values.shape), axis=1) + rng.uniform(-0.5, 0.5, (len(drawn), 3))
    centres, _ = kmeans2(points * voxel_A, count, iter=20, minit="points", rng=rng, missing="warn")
    return torch.from_numpy(centres).float()


def render(
    centres_A: torch.Tensor, sigma_A: torch.Tensor, weight: torch.Tensor, side: int, voxel_A: float
) -> torch.Tensor:
    """Sample the Gaussians on the map's grid."""
    axis_A = torch.arange(side) * voxel_A
    steps = (axis_A - centres_A[..., None]) / sigma_A[:, None, None]  # (k, 3, side)
    profile = torch.exp(-0.5 * steps**2) / (sigma_A[:, None, None] * (2 * torch.pi) ** 0.5)
    z, y, x = (profile * torch.stack([weight, *[torch.ones_like(weight)] * 2], 1)[..., None]).unbind(1)
    planes = torch.einsum("kz,ky->zyk", z, y).reshape(side * side, -1)
    return (planes @ x).reshape(side, side, side)


def fit(
    values: torch.Tensor, voxel_A: float, count: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Fit centres, widths and weights; the error is weighed by the inverse of the map's low-pass."""
    side, blur_A = values.shape[0], BLUR_A[voxel_A]
    axis = torch.fft.fftfreq(side, voxel_A)
    square = axis[:, None, None] ** 2 + axis[:, None] ** 2 + torch.fft.rfftfreq(side, voxel_A) ** 2
    sharpen = torch.exp(2 * torch.pi**2 * blur_A**2 * square) * (square < (1 / max(16, 2.1 * voxel_A)) ** 2)
    target = torch.fft.rfftn(values) * sharpen
    scale = target.abs().square().sum()
    centres_A = first_guess(values, voxel_A, count, rng).requires_grad_()
    typical_A = 0.5 * (float((values > 0.2 * values.max()).sum()) / count) ** (1 / 3) * voxel_A
    log_sigma = torch.full((count,), float(np.log(max(typical_A, 3.0)))).requires_grad_()
    root_weight = torch.full((count,), count**-0.5).requires_grad_()
    rates = [(centres_A, 0.3), (log_sigma, 0.02), (root_weight, 0.03 * count**-0.5)]
    adam = torch.optim.Adam([{"params": [p], "lr": lr} for p, lr in rates])
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS, 0.0)
    for _ in range(STEPS):
        sigma_A = log_sigma.exp().clamp(min=SMALLEST_SIGMA_A)
        seen_A = (sigma_A**2 + blur_A**2).sqrt()
        model = render(centres_A, seen_A, root_weight**2, side, voxel_A)
        loss = (torch.fft.rfftn(model) * sharpen - target).abs().square().sum() / scale
        adam.zero_grad()
        loss.backward()
        adam.step()
        decay.step()
    sigma_A = log_sigma.detach().exp().clamp(min=SMALLEST_SIGMA_A)
    return centres_A.detach(), sigma_A, root_weight.detach() ** 2


def quality(model: torch.Tensor, values: torch.Tensor, voxel_A: float) -> dict[str, float]:
    """Return the correlation in space, and the Fourier shell correlation at 40 A and about 20 A."""
    a, b = torch.fft.fftn(model), torch.fft.fftn(values)
    axis = torch.fft.fftfreq(values.shape[0], voxel_A)
    radius = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).sqrt()
    scores = {"correlation": float(torch.corrcoef(torch.stack([model.ravel(), values.ravel()]))[0, 1])}
    for resolution_A in (40.0, max(20.0, 2.1 * voxel_A)):
        shell = (radius - 1 / resolution_A).abs() < 0.75 / (values.shape[0] * voxel_A)
        cross = (a[shell] * b[shell].conj()).real.sum()
        power = a[shell].abs().square().sum() * b[shell].abs().square().sum()
        scores[f"fsc_{resolution_A:.0f}A"] = float(cross / power.sqrt())
    return scores


def fit_particle(particle: Particle, folders: list[Path]) -> tuple[np.ndarray, dict[str, object]]:
    """Return ``(k, 5)`` x, y, z, sigma (angstroms), weight (unit sum), and the card of one particle."""
    path = [p for folder in folders if (p := folder / f"{particle.pdb}.mrc").exists()][-1]
    values, voxel_A = read_map(path)
    count = int(np.clip(GAUSSIANS_PER_KDA * particle.mass_kDa, FEWEST, MOST))
    centres_A, sigma_A, weight = fit(values, voxel_A, count, np.random.default_rng(0))
    kept = weight > 1e-4 * weight.sum() / count
    centres_A, sigma_A, weight = centres_A[kept], sigma_A[kept], weight[kept] / weight.sum()
    seen_A = (sigma_A**2 + BLUR_A[voxel_A] ** 2).sqrt()
    scores = quality(render(centres_A, seen_A, weight, values.shape[0], voxel_A), values, voxel_A)
    shown = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    how = (
        f"{particle.note}; {len(weight)} Gaussians (median {float(sigma_A.median()):.1f} A) fitted to a map "
        f"of {voxel_A:.0f} A voxels, its low-pass of {BLUR_A[voxel_A]} A undone: {shown}"
    )
    gaussians = torch.cat([centres_A.flip(1), sigma_A[:, None], weight[:, None]], dim=1)
    card = {
        "name": particle.name,
        "aliases": [particle.pdb.lower(), *particle.aliases],
        "family": particle.family,
        "pdb": particle.pdb.split("_")[0],
        "mass_kDa": particle.mass_kDa,
        "how": how,
    }
    return gaussians.numpy().astype(np.float32), card


def main() -> None:
    """Fit all particles, print how well, and write them to one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("maps", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    tensors, cards = {}, []
    for particle in PARTICLES:
        tensors[particle.name], card = fit_particle(particle, arguments.maps)
        cards.append(card)
        print(f"{particle.name:26s} {card['how']}", flush=True)
    save_file(tensors, arguments.out, metadata={"molecules": json.dumps(cards)})


if __name__ == "__main__":
    main()
