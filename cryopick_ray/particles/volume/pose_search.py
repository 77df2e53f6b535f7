"""Projection matching: the pose in which a reference map looks most like each image.

An image is compared with projections of the map, each times the image's transfer function and over the
noise: the pose with the highest correlation is that of maximum likelihood for an image of unknown contrast
(Sigworth 1998, J. Struct. Biol. 122:328, without the sum over poses). First all poses of an even grid, at low
resolution and a few shifts, by one matrix product; then ever finer steps about the best of them.

Every image gets the pose that fits best, one without a particle, too: that one is turned until its noise
looks like the reference, which makes noise agree with the reference as far as images are compared.
"""

import itertools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from cryopick_ray.errors import PicksError
from cryopick_ray.particles.images import batches, read_images
from cryopick_ray.particles.particle_ctf import ctfs
from cryopick_ray.particles.particle_star import Particles
from cryopick_ray.particles.volume.insertion import centred, tensor
from cryopick_ray.particles.volume.padded_spectrum import disc, on_slices, slices, spectrum_of
from cryopick_ray.particles.volume.reconstruct import BATCH, Map, Poses
from cryopick_ray.particles.volume.reconstruction_settings import SearchSettings
from cryopick_ray.particles.volume.view_directions import even_rotations

NOISE_FROM = 1024
"""Images that the noise is measured in."""
COARSEST = 1.5
"""The first search compares details as large as neighbouring poses move the particle's rim, times this."""
NOTHING = 1e-9
"""Of the strongest ring's power: what a ring has that was filtered out."""
KEPT = 3
"""Poses of the grid that are refined; the best of them is kept."""
POSES_AT_ONCE = 4096
NEAR = torch.tensor(list(itertools.product((-1, 0, 1), repeat=3)), dtype=torch.float32)
AROUND = torch.tensor(list(itertools.product((-1, 0, 1), repeat=2)), dtype=torch.float32)


def find_poses(
    particles: Particles,
    reference: Map,
    symmetry: NDArray[np.float64],
    settings: SearchSettings,
    diameter_A: float,
    device: torch.device | None = None,
) -> tuple[Poses, NDArray[np.float64]]:
    """Return the pose that fits each particle best, and how well.

    Parameters
    ----------
    reference
        ``(box, box, box)`` of the particles' box and pixel size, matter as bright as in the images.
    symmetry
        ``(s, 3, 3)`` rotations that make poses alike.
    diameter_A
        Of the molecule.

    Returns
    -------
    Poses, and ``(n,)`` scores: standard deviations of the noise that the best fit rises above 0.
    """
    rotations, origin_A = np.empty((len(particles), 3, 3)), np.empty((len(particles), 2))
    scores = np.empty(len(particles))
    matcher = _Matcher(particles, reference, symmetry, settings, diameter_A, device)
    with torch.inference_mode():
        for places in batches(particles, BATCH):
            turned, shift_px, score = matcher.match(places)
            rotations[places] = turned.double().cpu().numpy()
            origin_A[places] = shift_px.double().cpu().numpy() * particles.pixel_size_A
            scores[places] = score.cpu().numpy()
    # The single numbers of a search are orthogonal to a millionth only.
    rotations = Rotation.from_matrix(rotations).as_matrix()
    return Poses(rotations, origin_A), scores


class _Matcher:
    """What is the same for all images of a data set."""

    def __init__(
        self,
        particles: Particles,
        reference: Map,
        symmetry: NDArray[np.float64],
        settings: SearchSettings,
        diameter_A: float,
        device: torch.device | None,
    ) -> None:
        self._particles, self._settings, self._device = particles, settings, device
        self._side, self._pixel_A = particles.box_px, particles.pixel_size_A
        self._spectrum = spectrum_of(tensor(reference, device))
        coarse_A = max(settings.resolution_A, COARSEST * math.radians(settings.step_deg) * diameter_A / 2)
        self._coarse, self._fine = (
            disc(self._side, min(self._side / 2, self._side * self._pixel_A / detail_A), device)
            for detail_A in (coarse_A, settings.resolution_A)
        )
        self._trust = self._trust_by_ring()
        self._rounds = max(1, math.ceil(math.log2(settings.step_deg / settings.finest_deg)))
        self._grid = tensor(even_rotations(settings.step_deg, symmetry), device)
        _, frequencies = self._coarse
        self._views = torch.cat(
            [
                slices(self._spectrum, on_slices(frequencies, some))
                for some in torch.split(self._grid, POSES_AT_ONCE)
            ]
        )
        self._shift_step_px = coarse_A / 4 / self._pixel_A
        reach = math.ceil(settings.range_A / self._pixel_A / self._shift_step_px)
        steps = torch.arange(-reach, reach + 1, dtype=torch.float32, device=device)
        shifts = torch.cartesian_prod(steps, steps) * self._shift_step_px
        self._shifts = shifts[shifts.norm(dim=1) <= settings.range_A / self._pixel_A + 1e-3]

    def match(self, places: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotations, shifts in pixels and scores of some particles."""
        chosen = self._particles
        images = tensor(read_images(chosen, places), self._device)
        origin = tensor(chosen.origin_A[places] / self._pixel_A, self._device)
        transfer = images.new_ones(len(places), self._side, self._side // 2 + 1)
        if chosen.ctf is not None:
            transfer = ctfs(chosen.ctf.of(places), self._side, self._pixel_A).to(images.device)
        rotations, shifts = self._over_the_grid(*self._weighted(images, origin, transfer, self._coarse))
        seen, power = self._weighted(images, origin, transfer, self._fine)
        found = [self._refined(seen, power, rotations[:, k], shifts[:, k]) for k in range(rotations.shape[1])]
        scores = torch.stack([score for _, _, score in found])
        best = scores.argmax(dim=0)
        here = torch.arange(len(places), device=best.device)
        turned, moved = (torch.stack([one[part] for one in found])[best, here] for part in (0, 1))
        return turned, origin + moved, scores[best, here]

    def _weighted(
        self, images: Tensor, origin: Tensor, transfer: Tensor, where: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return ``(n, m)`` images times transfer over noise, and transfer squared over noise."""
        places, frequencies = where
        trust = self._trust[frequencies.norm(dim=1).round().long()]
        own = transfer.flatten(1)[:, places]
        return centred(images, origin, places, frequencies) * (own * trust), own**2 * trust

    def _over_the_grid(self, seen: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(n, k)`` best rotations of the grid and shifts."""
        _, frequencies = self._coarse
        ramps = _ramps(self._shifts, frequencies, self._side)
        moved = torch.view_as_real((seen[:, None] * ramps).flatten(0, 1)).flatten(1)
        scores, shifts = [], []
        for views in torch.split(self._views, POSES_AT_ONCE):
            norms = (power @ (views.abs() ** 2).T).sqrt()  # (n, poses)
            products = moved @ torch.view_as_real(views).flatten(1).T
            best, shift = products.reshape(len(seen), len(self._shifts), -1).max(dim=1)
            scores.append(best / norms)
            shifts.append(shift)
        pose = torch.cat(scores, dim=1).topk(min(KEPT, len(self._grid)), dim=1).indices
        return self._grid[pose], self._shifts[torch.cat(shifts, dim=1).gather(1, pose)]

    def _refined(
        self, seen: Tensor, power: Tensor, rotations: Tensor, shifts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotations, shifts and scores after ever finer steps about a pose of each image."""
        _, frequencies = self._fine
        step_deg, shift_px = self._settings.step_deg / 2, self._shift_step_px / 2
        around = AROUND.to(seen.device)
        here = torch.arange(len(seen), device=seen.device)
        for _ in range(self._rounds):
            turns = tensor(
                Rotation.from_rotvec(step_deg * NEAR.numpy(), degrees=True).as_matrix(), self._device
            )
            tried, moves = turns @ rotations[:, None], shifts[:, None] + around * shift_px
            views = slices(self._spectrum, on_slices(frequencies, tried.flatten(0, 1)))
            views = views.reshape(len(seen), len(NEAR), -1)
            norms = torch.einsum("nm,npm->np", power, views.abs() ** 2).sqrt()
            moved = torch.view_as_real(seen[:, None] * _ramps(moves, frequencies, self._side)).flatten(2)
            products = torch.view_as_real(views).flatten(2) @ moved.transpose(1, 2)
            score, at = (products / norms[:, :, None]).flatten(1).max(dim=1)
            rotations, shifts = tried[here, at // len(around)], moves[here, at % len(around)]
            step_deg, shift_px = step_deg / 2, shift_px / 2
        return rotations, shifts, score

    def _trust_by_ring(self) -> Tensor:
        """Return one over the mean power of a real part in each ring: particles are the lesser part of it.

        It is 0 at zero frequency, for the grey value of the background is anyone's choice, and where a filter
        has left nothing.
        """
        places, frequencies = disc(self._side, self._side / 2, self._device)
        ring = frequencies.norm(dim=1).round().long()
        total = torch.zeros(int(ring.max()) + 1, device=self._device)
        some = self._particles.of(np.arange(min(NOISE_FROM, len(self._particles))))
        for own in batches(some, BATCH):
            spectra = torch.fft.rfft2(tensor(read_images(some, own), self._device)).flatten(1)[:, places]
            total.scatter_add_(0, ring, (spectra.abs() ** 2).sum(dim=0))
        total[0] = 0
        if not total.any():
            raise PicksError(f"{some.path} has images without content; extract them again")
        counts = torch.zeros_like(total).scatter_add(0, ring, torch.ones_like(ring, dtype=total.dtype))
        power = total / (2 * counts * len(some))
        return torch.where(power > NOTHING * power.max(), 1 / power, 0)


def _ramps(shifts_px: Tensor, frequencies: Tensor, side: int) -> Tensor:
    """Return what multiplies spectra as images move by ``(..., 2)`` x, y, ``(..., m)``."""
    turn = (-2 * math.pi / side) * (shifts_px @ frequencies.T)
    return torch.polar(torch.ones_like(turn), turn)
