"""What all workers of a classification must agree on, and how it goes from one iteration to the next."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.particles.classes.components import Components
from cryopick_ray.particles.classes.expectation import PoseSearch
from cryopick_ray.particles.classes.model import ClassModel, ClassSums, averages, new_noise, picture_of

PSI_STEP_DEG = 12.0
SHIFT_RANGE_PER_DIAMETER, SHIFT_STEP_PER_DIAMETER = 0.11, 0.03
FIRST_SHIFT_SIGMA_PER_DIAMETER = 0.05
FIRST_DETAILS, COARSE_DETAILS = 4.0, 10.0
"""Details across the mask that averages begin with, and that coarse cells are told apart by."""
MORE_SHELLS = 4
"""Shells looked at beyond the last that rises above the noise: what comes next must be seen to rise."""
RAMP = 0.6
"""Of the iterations: until then ever finer detail is compared."""
RENEWING = 0.6
"""Of the iterations: so long empty classes are made anew."""
LEAST_SHARE, MOST_SHARE = 0.25, 1.5
"""Of an even share: below it a class is made anew, out of one above."""
PART, LEAST_PARTS = 2500, 8
"""Particles of a part at most, which lie in memory at a time; parts at least."""


@dataclass(frozen=True)
class ClassPlan:
    """The geometry of a classification, and its rules of going on.

    Attributes
    ----------
    count
        Particles.
    is_helical
        Whether turns are looked for along filaments alone.
    """

    settings: ClassSettings
    count: int
    box_px: int
    pixel_size_A: float
    is_helical: bool = False

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.settings.count(self.count)

    @property
    def parts(self) -> int:
        """How many parts the particles are cut into, an even number: every other one is a half set."""
        wanted = max(LEAST_PARTS, 2 * -(-self.count // (2 * PART)))
        return max(1, min(wanted, self.count - self.count % 2))

    def places(self, part: int) -> NDArray[np.int64]:
        """Return which particles are in a part."""
        bounds = np.linspace(0, self.count, self.parts + 1).astype(np.int64)
        return np.arange(bounds[part], bounds[part + 1])

    @property
    def mask_A(self) -> float:
        """Diameter of the mask round averages."""
        return self.settings.mask_A(self.box_px, self.pixel_size_A)

    @cached_property
    def components(self) -> Components:
        """What is looked at of every image."""
        return Components(self.box_px, self.settings.radius(self.box_px, self.pixel_size_A))

    @property
    def side_px(self) -> int:
        """Side of the averages that are turned: no finer than need be."""
        return min(self.box_px, 2 * (self.components.radius + 2))

    @cached_property
    def search(self) -> PoseSearch:
        """What is tried."""
        box_A = self.box_px * self.pixel_size_A
        step_A = SHIFT_STEP_PER_DIAMETER * self.mask_A
        return PoseSearch(
            components=self.components,
            side_px=self.side_px,
            pixel_size_A=self.pixel_size_A,
            psi_step_deg=PSI_STEP_DEG,
            shift_step_A=step_A,
            shift_range_A=SHIFT_RANGE_PER_DIAMETER * self.mask_A,
            coarse_radius=box_A * COARSE_DETAILS / self.mask_A,
        )

    def first(self, sums: ClassSums) -> ClassModel:
        """Return the model to begin with: averages of images sorted at random, blurred."""
        components = self.components
        noise = new_noise(sums, components, self.count)
        made, _ = averages(sums, components, noise)
        radius = self._most(0)
        made = made * (torch.arange(len(components)) < components.count(radius))
        sigma_A = FIRST_SHIFT_SIGMA_PER_DIAMETER * self.mask_A
        return ClassModel(self._pictures(made), noise, sigma_A, radius)

    def next(self, sums: ClassSums, iteration: int) -> ClassModel:
        """Return the model that images were added up to in an iteration, counted from 1."""
        components = self.components
        noise = new_noise(sums, components, self.count)
        made, snr = averages(sums, components, noise)
        rising = torch.cumprod((snr[:, 1:] > 1).to(torch.int64), dim=1).sum(dim=1)
        sigma_A = max(self.search.shift_step_A / 2, float((sums.offset_A2 / (2 * self.count)).sqrt()))
        model = ClassModel(
            self._pictures(made),
            noise,
            sigma_A,
            min(self._most(iteration), float(int(rising.max()) + MORE_SHELLS)),
        )
        if iteration % 2 or iteration > RENEWING * self.settings.iterations:
            return model
        share = (sums.weight / self.count).to(torch.float32)
        return replace(model, pictures=self._renewed(model.pictures, share, iteration))

    def _most(self, iteration: int) -> float:
        """Return the highest frequency compared after an iteration: early averages align noise to noise."""
        first = max(1.0, self.box_px * self.pixel_size_A * FIRST_DETAILS / self.mask_A)
        part = min(1.0, iteration / (RAMP * self.settings.iterations))
        return min(float(self.components.radius), first + part * (self.components.radius - first))

    def _pictures(self, made: torch.Tensor) -> torch.Tensor:
        return picture_of(made, self.components, self.side_px, self.mask_A / self.pixel_size_A)

    def _renewed(self, pictures: torch.Tensor, share: torch.Tensor, iteration: int) -> torch.Tensor:
        """Let each class that hardly any image is in share a large class: both differ by a smooth pattern."""
        pictures, share = pictures.clone(), share.clone()
        even = 1 / len(share)
        rng = torch.Generator().manual_seed(self.settings.seed * 1000 + iteration)
        for small in torch.nonzero(share < LEAST_SHARE * even).flatten().tolist():
            big = int(share.argmax())
            if share[big] < MOST_SHARE * even:
                break
            noise = torch.randn(pictures[big].shape, generator=rng)
            pattern = torch.nn.functional.avg_pool2d(noise[None], 5, 1, 2)[0] * (pictures[big] != 0)
            pattern *= 0.3 * pictures[big].std() / pattern.std()
            pictures[small], pictures[big] = pictures[big] + pattern, pictures[big] - pattern
            share[small] = share[big] = share[big] / 2
        return pictures


def pack(**arrays: Any) -> bytes:
    """Return arrays as a NumPy archive."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def unpack(path: Path) -> Mapping[str, NDArray[Any]]:
    """Return the arrays of an archive.

    Raises
    ------
    UsageError
        It is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is damaged ({error}); remove it and go on with `resume`") from error
