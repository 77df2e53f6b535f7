"""Where each image lies among classes, turns and shifts, and what images add up to: the E step."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from cryopick_ray.particles.classes.components import Components, soft_disc
from cryopick_ray.particles.classes.model import ClassModel, ClassSums
from cryopick_ray.particles.classes.turning import Turning, psi_grid

SPLIT = 2
"""Parts of a coarse cell along its turn and along either shift."""
CELLS = 8
"""Coarse cells of class, turn and shift that are looked at finely, the likeliest of an image."""
LEAST = 1e-3
"""Probability below which a cell adds nothing."""
PSI_SIGMA_DEG = 5.0
"""How well the direction of a segment is known; a third of the range that is searched, as RELION has it."""
SCORES = 2**22
"""Numbers in the table of coarse scores at a time."""


@dataclass(frozen=True)
class PoseSearch:
    """The turns and shifts that are tried: coarse cells, each cut into 2 x 2 x 2.

    Attributes
    ----------
    psi_step_deg, shift_step_A, shift_range_A
        Of the coarse cells; shifts lie in a disc of the range about the origin an image came with.
    coarse_radius
        Frequency in cycles a box up to which coarse cells are compared.
    """

    components: Components
    side_px: int
    pixel_size_A: float
    psi_step_deg: float
    shift_step_A: float
    shift_range_A: float
    coarse_radius: float

    @cached_property
    def coarse(self) -> Turning:
        """Turns of the cells' middles, for the components compared coarsely."""
        radius = max(1, math.floor(self.coarse_radius))
        few = Components(self.components.box_px, min(radius, self.components.radius))
        return Turning(few, self.side_px, psi_grid(self.psi_step_deg))

    @cached_property
    def fine(self) -> Turning:
        """Turns in each cell, one after the other."""
        psi = self.coarse.psi_deg
        parts = _parts(360 / len(psi)).tolist()
        return Turning(self.components, self.side_px, tuple(a + d for a in psi for d in parts))

    @cached_property
    def shifts_A(self) -> torch.Tensor:
        """``(t, 2)`` coarse shifts."""
        reach = math.floor(self.shift_range_A / self.shift_step_A + 1e-9)
        line = torch.arange(-reach, reach + 1, dtype=torch.float32) * self.shift_step_A
        grid = torch.cartesian_prod(line, line)
        return grid[(grid**2).sum(dim=1) <= (self.shift_range_A * 1.001) ** 2]

    @cached_property
    def fine_shifts_A(self) -> torch.Tensor:
        """``(t, s, 2)`` shifts in each coarse one."""
        parts = _parts(self.shift_step_A)
        return self.shifts_A[:, None] + torch.cartesian_prod(parts, parts)


@dataclass(frozen=True, eq=False)
class ExpectedPoses:
    """Of ``n`` images: class (from 0), rlnAnglePsi, shift, its probability, and ``(n, k)`` of the classes."""

    label: torch.Tensor
    psi_deg: torch.Tensor
    shift_A: torch.Tensor
    probability: torch.Tensor
    likelihood: torch.Tensor


@dataclass(frozen=True, eq=False)
class KnownPoses:
    """What is known of the turns of ``n`` images before they are compared: segments lie along filaments.

    Attributes
    ----------
    turns
        ``(r,)`` coarse turns that are tried.
    psi_deg
        ``(n,)`` turns, or half a turn off.
    """

    turns: torch.Tensor
    psi_deg: torch.Tensor

    def log_likelihood(self, psi_deg: torch.Tensor) -> torch.Tensor:
        """Return it of turns, ``(r,)`` of all images or ``(n, ...)`` of each."""
        own = self.psi_deg.reshape(-1, *[1] * max(1, psi_deg.ndim - 1))
        off = (psi_deg - own + 90) % 180 - 90
        return -(off**2) / (2 * PSI_SIGMA_DEG**2)


class Expectation:
    """Adds up images under one model.

    Images and CTFs are ``(n, f)`` components; see :class:`PoseSearch` for what is tried. Coarse cells are
    scored by one product of matrices, over all classes, turns, shifts and images of a batch.
    """

    def __init__(self, search: PoseSearch, model: ClassModel) -> None:
        self._search = search
        self._model = model
        device = model.pictures.device
        self._device = device
        everything = search.fine.turn(model.pictures)
        classes, turns, count = everything.shape
        self._shape = (classes, len(search.coarse.psi_deg))
        self._fine = everything.reshape(classes * turns, count)
        coarse = search.coarse.turn(model.pictures)
        self._coarse_count = min(coarse.shape[-1], search.components.count(model.radius))
        self._count = search.components.count(model.radius)
        self._coarse = coarse.reshape(-1, coarse.shape[-1])[:, : self._coarse_count].contiguous()
        self._packed = torch.view_as_real(self._coarse).flatten(1)
        self._power = self._coarse.abs() ** 2
        self._all = torch.arange(len(self._packed), device=device).reshape(self._shape)
        self._psi_deg = torch.tensor(search.fine.psi_deg, device=device)
        self._coarse_psi_deg = torch.tensor(search.coarse.psi_deg, device=device)
        self._precision = 1 / model.noise[search.components.shell.to(device)]
        scale = 1 / search.pixel_size_A
        self._moves = search.components.shifts(search.shifts_A.to(device) * scale)
        self._fine_moves = search.components.shifts(search.fine_shifts_A.to(device) * scale)
        self._sums = _Adding(search, self._fine)

    @property
    def batch(self) -> int:
        """Images that are best handed over at a time."""
        classes, turns = self._shape
        return max(1, min(64, SCORES // (classes * turns * len(self._moves))))

    def add(self, images: torch.Tensor, ctf: torch.Tensor, known: KnownPoses | None = None) -> ExpectedPoses:
        """Add images; return where they lie, near what is known of their turns."""
        cells = self._cells(images, ctf, known)
        return self._refine(images, ctf, cells, known)

    def sums(self) -> ClassSums:
        """Return what all images added up to; the next one is the first of others."""
        done, self._sums = self._sums, _Adding(self._search, self._fine)
        return done.finish()

    def _cells(self, images: torch.Tensor, ctf: torch.Tensor, known: KnownPoses | None) -> torch.Tensor:
        """Return ``(n, c)`` likeliest coarse cells: flat places in shift, class and turn."""
        n, count = len(images), self._coarse_count
        template = slice(None) if known is None else self._all[:, known.turns].flatten()
        templates, template_power = self._packed[template], self._power[template]
        weighted = (images * ctf)[:, :count] * self._precision[:count]
        moved = weighted[:, None] * self._moves[:, :count]
        packed = torch.view_as_real(moved).reshape(n * len(self._moves), -1)
        cross = packed @ templates.T
        power = (ctf[:, :count] ** 2 * self._precision[:count]) @ template_power.T
        scores = cross.reshape(n, len(self._moves), -1).mul_(2).sub_(power[:, None])
        scores += self._prior(self._search.shifts_A.to(self._device))[:, None]
        if known is not None:
            likely = known.log_likelihood(self._coarse_psi_deg[known.turns])
            scores += likely.repeat(1, self._shape[0])[:, None]
        flat = scores.flatten(1)
        best = flat.topk(min(CELLS, flat.shape[1]), dim=1, sorted=False).indices
        shift, place = best // len(templates), best % len(templates)
        return shift * len(self._packed) + self._all.flatten()[template][place]

    def _refine(
        self, images: torch.Tensor, ctf: torch.Tensor, cells: torch.Tensor, known: KnownPoses | None
    ) -> ExpectedPoses:
        (n, c), (classes, turns), count = cells.shape, self._shape, self._count
        shift, template = cells // (classes * turns), cells % (classes * turns)
        label = template // turns
        turned = SPLIT * template[..., None] + torch.arange(SPLIT, device=self._device)  # (n, c, r)
        picture = self._fine[turned, :count] if count < self._fine.shape[1] else self._fine[turned]
        weighted = (images * ctf)[:, :count] * self._precision[:count]
        moved = weighted[:, None, None] * self._fine_moves[shift, :, :count]  # (n, c, s, f)
        cross = _real(moved).flatten(0, 1) @ _real(picture).flatten(0, 1).transpose(1, 2)
        strength = ctf[:, :count] ** 2 * self._precision[:count]
        power = torch.einsum("nf,ncrf->ncr", strength, picture.abs() ** 2)
        scores = 2 * cross.reshape(n, c, SPLIT**2, SPLIT) - power[:, :, None]
        scores += self._prior(self._search.fine_shifts_A.to(self._device))[shift][..., None]
        if known is not None:
            scores += known.log_likelihood(self._psi_deg[turned % len(self._psi_deg)])[:, :, None]
        weights = torch.softmax(scores.flatten(1), dim=1).reshape(n, c, SPLIT**2, SPLIT)
        self._sums.add(images, ctf, weights, turned, shift, label, self._fine_moves)
        return self._poses(weights, turned, shift, label)

    def _poses(
        self, weights: torch.Tensor, turned: torch.Tensor, shift: torch.Tensor, label: torch.Tensor
    ) -> ExpectedPoses:
        n = len(weights)
        best, place = weights.flatten(1).max(dim=1)
        cell, move, turn = place // SPLIT**3, place // SPLIT % SPLIT**2, place % SPLIT
        row = torch.arange(n, device=self._device)
        psi = self._psi_deg
        of_class = weights.new_zeros((n, self._shape[0]))
        of_class.scatter_add_(1, label, weights.sum(dim=(2, 3)))
        return ExpectedPoses(
            label=label[row, cell],
            psi_deg=psi[turned[row, cell, turn] % len(psi)],
            shift_A=self._search.fine_shifts_A.to(self._device)[shift[row, cell], move],
            probability=best,
            likelihood=of_class,
        )

    def _prior(self, shifts_A: torch.Tensor) -> torch.Tensor:
        return -(shifts_A**2).sum(dim=-1) / (2 * self._model.offset_sigma_A**2)


class _Adding:
    """Weighted sums over images, by class and turn until the end."""

    def __init__(self, search: PoseSearch, templates: torch.Tensor) -> None:
        self._search = search
        self._templates = templates
        count = len(search.components)
        turns = len(search.fine.psi_deg)
        classes = len(templates) // turns
        self._signal = torch.zeros_like(templates)
        zeros = templates.real.new_zeros
        self._transfer, self._weight = zeros((classes, count)), zeros(classes)
        self._power = zeros(count)
        self._fitted = zeros(count)
        self._offset = zeros(())

    def add(
        self,
        images: torch.Tensor,
        ctf: torch.Tensor,
        weights: torch.Tensor,
        turned: torch.Tensor,
        shift: torch.Tensor,
        label: torch.Tensor,
        moves: torch.Tensor,
    ) -> None:
        cell_weight = weights.sum(dim=(2, 3))
        row, cell = torch.nonzero(cell_weight > LEAST, as_tuple=True)
        kept = weights[row, cell]  # (m, s, r)
        kept = (
            kept
            / torch.zeros_like(cell_weight[:, 0]).index_add_(0, row, kept.sum(dim=(1, 2)))[row, None, None]
        )
        moved = (images * ctf)[row][:, None] * moves[shift[row, cell]]  # (m, s, f)
        added = (kept.transpose(1, 2) @ _real(moved)).reshape(len(kept), SPLIT, -1, 2)  # (m, r, f, 2)
        places = turned[row, cell].flatten()
        self._signal.index_add_(0, places, torch.view_as_complex(added.flatten(0, 1).contiguous()))
        of_class = kept.new_zeros((len(images), len(self._weight)))
        of_class.index_put_((row, label[row, cell]), kept.sum(dim=(1, 2)), accumulate=True)
        square = ctf**2
        self._transfer += of_class.T @ square
        self._weight += of_class.sum(dim=0)
        self._power += (images.abs() ** 2).sum(dim=0)
        for turn in range(SPLIT):
            fitted = self._templates[turned[row, cell, turn]].abs() ** 2 * square[row]
            self._fitted += kept[:, :, turn].sum(dim=1) @ fitted
        shifts = self._search.fine_shifts_A.to(images.device)[shift[row, cell]]
        self._offset += (kept.sum(dim=2) * (shifts**2).sum(dim=-1)).sum()

    def finish(self) -> ClassSums:
        search, components = self._search, self._search.components
        cross = (self._signal.conj() * self._templates).real.sum(dim=0)
        residual = components.by_shell(self._power - 2 * cross + self._fitted)
        sums = self._signal.reshape(len(self._weight), -1, len(components))
        # Outside the circle that fits the box, turned pictures hold copies of themselves.
        circle = torch.from_numpy(soft_disc(search.side_px, search.side_px / 2 - 2, 2.0)).to(residual)
        pictures = search.fine.turn_back(sums) * circle
        side = Components(search.side_px, components.radius)
        signal = side.of_images(pictures) * (components.box_px / search.side_px)
        return ClassSums(signal, self._transfer, residual, self._weight, self._offset)


def _real(values: torch.Tensor) -> torch.Tensor:
    """Return ``(..., 2 f)`` real numbers of ``(..., f)`` complex ones."""
    return torch.view_as_real(values).flatten(-2)


def _parts(step: float) -> torch.Tensor:
    """Return the middles of a cell's parts, from its middle."""
    return (torch.arange(SPLIT, dtype=torch.float32) - (SPLIT - 1) / 2) * step / SPLIT
