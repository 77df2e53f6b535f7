"""What a worker does of a classification: makes images ready, compares them, averages them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.engine.unit import UnitReport, stay, until
from cryopick_ray.errors import CryoPickError
from cryopick_ray.particles.classes.components import Components
from cryopick_ray.particles.classes.expectation import Expectation, ExpectedPoses, KnownPoses
from cryopick_ray.particles.classes.model import ClassSums
from cryopick_ray.particles.classes.progress import WorkFiles, read_model, write_array, write_sums
from cryopick_ray.particles.classes.psi_prior import by_turns, psi_prior_deg
from cryopick_ray.particles.classes.schedule import ClassPlan
from cryopick_ray.particles.images import read_images
from cryopick_ray.particles.particle_ctf import ctfs
from cryopick_ray.particles.particle_star import Particles, read_particles
from cryopick_ray.pickers.device.usable_device import repeatable, usable_device

READ = 256
"""Images read at a time."""


@dataclass(frozen=True)
class ClassPart:
    """A part of the particles in one iteration; iteration 0 makes its images ready."""

    iteration: int
    part: int

    @property
    def micrograph_id(self) -> str:
        """What it is called in reports."""
        return f"part {self.part}, iteration {self.iteration}"


class ClassWorker:
    """Makes sums of parts, each written whole: doing one again makes the same.

    Parameters
    ----------
    device
        Where images are compared.
    """

    def __init__(self, plan: ClassPlan, out: Path, device: str, threads: int = 1) -> None:
        torch.set_num_threads(threads)
        self._plan, self._files = plan, WorkFiles(out)
        self._device = usable_device(device)
        self._expectation: tuple[int, Expectation] | None = None

    def process(self, items: Sequence[ClassPart], leaving: Callable[[], bool] = stay) -> UnitReport:
        """Do parts and publish what they add up to."""
        start, failures, begun = time.perf_counter(), [], 0
        for item in until(leaving, items):
            begun += 1
            try:
                with repeatable():
                    self._begin(item.part) if item.iteration == 0 else self._compare(item)
            except CryoPickError as error:
                failures.append((item.micrograph_id, str(error)))
        seconds = {"classify": time.perf_counter() - start}
        undone = tuple(range(begun, len(items)))
        return UnitReport(begun - len(failures), tuple(failures), undone=undone, seconds=seconds)

    def give_up(self, items: Sequence[ClassPart], reason: str) -> UnitReport:
        """Report that parts could not be done."""
        return UnitReport(complete=0, failures=tuple((item.micrograph_id, reason) for item in items))

    @cached_property
    def _particles(self) -> Particles:
        return read_particles(self._plan.settings.particles)

    def _begin(self, part: int) -> None:
        """Keep the components of a part's images, centred, and their CTFs; sort them at random."""
        plan, components, particles = self._plan, self._plan.components, self._particles
        places = plan.places(part)
        images = np.empty((len(places), len(components)), np.complex64)
        transfer = np.ones((len(places), len(components)), np.float32)
        for start in range(0, len(places), READ):
            few = places[start : start + READ]
            origin_px = torch.from_numpy(particles.origin_A[few] / plan.pixel_size_A).to(torch.float32)
            made = components.of_images(torch.from_numpy(read_images(particles, few)))
            images[start : start + READ] = (made * components.shifts(origin_px)).numpy()
            if particles.ctf is not None:
                whole = ctfs(particles.ctf.of(few), plan.box_px, plan.pixel_size_A)
                transfer[start : start + READ] = components.of_spectra(whole).numpy()
        write_array(self._files.images(part), images)
        write_array(self._files.ctfs(part), transfer)
        prior_deg = psi_prior_deg(particles)[places] if plan.is_helical else np.full(len(places), np.nan)
        write_array(self._files.priors(part), prior_deg)
        rng = np.random.default_rng((plan.settings.seed, part))
        label = rng.permutation(np.arange(len(places)) % plan.classes)
        write_sums(self._files.sums(0, part), sorted_sums(components, images, transfer, label, plan))

    def _compare(self, item: ClassPart) -> None:
        files, part = self._files, item.part
        images, transfer, prior_deg = (
            np.load(path, "r") for path in (files.images(part), files.ctfs(part), files.priors(part))
        )
        expectation = self._expected(item.iteration)
        poses: list[ExpectedPoses] = []
        order: list[NDArray[np.intp]] = []
        for rows, turns in by_turns(prior_deg, self._plan.search.coarse.psi_deg):
            for start in range(0, len(rows), expectation.batch):
                few = rows[start : start + expectation.batch]
                image, ctf = (torch.from_numpy(one[few]).to(self._device) for one in (images, transfer))
                known = None if turns is None else self._known(turns, prior_deg[few])
                poses.append(expectation.add(image, ctf, known))
                order.append(few)
        back = np.argsort(np.concatenate(order))
        columns = {
            name: torch.cat([getattr(pose, name) for pose in poses]).cpu().numpy()[back]
            for name in ("label", "psi_deg", "shift_A", "probability")
        }
        write_sums(self._files.sums(item.iteration, item.part), expectation.sums(), **columns)

    def _known(self, turns: NDArray[np.intp], prior_deg: NDArray[np.float64]) -> KnownPoses:
        psi_deg = torch.from_numpy(prior_deg).to(torch.float32)
        return KnownPoses(torch.from_numpy(turns).to(self._device), psi_deg.to(self._device))

    def _expected(self, iteration: int) -> Expectation:
        """Return what compares images in an iteration; the turned averages are made once."""
        if self._expectation is None or self._expectation[0] != iteration:
            model = read_model(self._files.model(iteration - 1)).to(self._device)
            self._expectation = iteration, Expectation(self._plan.search, model)
        return self._expectation[1]


def sorted_sums(
    components: Components,
    images: NDArray[np.complex64],
    transfer: NDArray[np.float32],
    label: NDArray[np.int64],
    plan: ClassPlan,
) -> ClassSums:
    """Return the sums of images as they lie, each in the class of its label."""
    member = torch.nn.functional.one_hot(torch.from_numpy(label), plan.classes).T.to(torch.float32)
    image, ctf = torch.from_numpy(images), torch.from_numpy(transfer)
    return ClassSums(
        signal=member.to(image.dtype) @ (image * ctf),
        transfer=member @ ctf**2,
        residual=components.by_shell((image.abs() ** 2).sum(dim=0)),
        weight=member.sum(dim=1),
        offset_A2=torch.zeros(()),
    )
