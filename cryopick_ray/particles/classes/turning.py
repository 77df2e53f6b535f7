"""Class averages rotated in the plane, and sums of images rotated back."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from cryopick_ray.particles.classes.components import Components

PADDING = 2


@dataclass(frozen=True)
class InPlaneRotation:
    """Rotates images by given angles: linear interpolation in the twofold padded transform.

    The interpolation's fall-off towards the border is divided out before turning and after turning back,
    so that turning back is turning's transpose and, in a circle that fits the box, its inverse.

    Attributes
    ----------
    components
        What comes out.
    side_px
        Side of the pictures turned: even, above twice the components' radius; a picture's pixel is
        ``components.box_px / side_px`` pixels of the images.
    psi_deg
        Angles: rlnAnglePsi.
    """

    components: Components
    side_px: int
    psi_deg: tuple[float, ...]

    @cached_property
    def _table(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``(4, r * f)`` places in the padded transform, flat, and their weights."""
        psi = torch.deg2rad(torch.tensor(self.psi_deg, dtype=torch.float64))[:, None]
        k_x, k_y = self.components.k.to(torch.float64).T
        # A point r of the average lies at R r in the image, so the image's k is the average's R^T k.
        at = PADDING * torch.stack(
            [torch.cos(psi) * k_x - torch.sin(psi) * k_y, torch.sin(psi) * k_x + torch.cos(psi) * k_y]
        ).reshape(2, -1)
        low = at.floor()
        part = at - low
        side = PADDING * self.side_px
        places, weights = [], []
        for d_x in (0, 1):
            for d_y in (0, 1):
                x, y = (low[0] + d_x) % side, (low[1] + d_y) % side
                places.append((y * side + x).to(torch.int64))
                weights.append((part[0] if d_x else 1 - part[0]) * (part[1] if d_y else 1 - part[1]))
        return torch.stack(places), torch.stack(weights).to(torch.float32)

    @cached_property
    def _falloff(self) -> torch.Tensor:
        at = (torch.arange(self.side_px) - self.side_px // 2) / (PADDING * self.side_px)
        return torch.outer(torch.sinc(at) ** 2, torch.sinc(at) ** 2).to(torch.float32)

    def turn(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return ``(c, r, f)`` components of ``(c, side_px, side_px)`` pictures turned by every angle."""
        side = PADDING * self.side_px
        margin = (side - self.side_px) // 2
        padded = torch.nn.functional.pad(pictures / self._falloff.to(pictures.device), [margin] * 4)
        # Unitary for the unpadded picture; a coarser pixel holds what several pixels of the images do.
        scale = self.components.box_px / self.side_px**2
        flat = torch.fft.fft2(torch.fft.ifftshift(padded, dim=(-2, -1))).flatten(1) * scale
        places, weights = (tensor.to(pictures.device) for tensor in self._table)
        turned = sum(flat[:, places[i]] * weights[i] for i in range(4))
        assert isinstance(turned, torch.Tensor)
        return turned.reshape(len(pictures), len(self.psi_deg), len(self.components))

    def turn_back(self, sums: torch.Tensor) -> torch.Tensor:
        """Return ``(c, side_px, side_px)`` sums over the angles of ``(c, r, f)`` components turned back."""
        side = PADDING * self.side_px
        flat = sums.new_zeros((len(sums), side * side))
        places, weights = (tensor.to(sums.device) for tensor in self._table)
        values = sums.flatten(1)
        for i in range(4):
            flat.index_add_(1, places[i], values * weights[i])
        # Half of the components stand for all.
        padded = 2 * torch.fft.ifft2(flat.reshape(-1, side, side), norm="forward").real
        margin = (side - self.side_px) // 2
        inner = slice(margin, margin + self.side_px)
        made: torch.Tensor = torch.fft.fftshift(padded, dim=(-2, -1))[:, inner, inner]
        return made / self._falloff.to(sums.device) / self.components.box_px


def psi_grid(step_deg: float) -> tuple[float, ...]:
    """Return the angles of a full turn, evenly, at most ``step_deg`` apart."""
    count = math.ceil(360 / step_deg - 1e-9)
    return tuple(360 * i / count for i in range(count))
