"""A training small enough to run many times, and accidents that happen to it."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cryopick_ray.errors import StoreError
from cryopick_ray.micrographs.normalised_image import NormalisedImage
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import no_centres
from cryopick_ray.training.data.sampling import negative, positive
from cryopick_ray.training.data.windows import Window
from cryopick_ray.training.loop.job import TrainingJob
from cryopick_ray.training.loop.loop import LoopSettings
from cryopick_ray.training.recipes.recipe import Example

DIAMETER_A, PIXEL_SIZE_A, SIDE_PX = 60.0, 3.0, 256


@dataclass(frozen=True)
class SmallRecipe:
    """Particle or none; neither batch norm nor dropout, so workers differ by rounding alone."""

    channels: int = 4
    momentum: bool = False
    learning_rate: float = 3e-3
    size_px: int = 24
    batch: int = 9
    architecture: str = "small"
    normalisation: str = "none"
    validation_chooses: bool = True
    particle_px: float = DIAMETER_A / PIXEL_SIZE_A

    @property
    def parameters(self):
        return {"channels": self.channels}

    def build(self):
        return nn.Sequential(
            nn.Conv2d(1, self.channels, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(self.channels, 2 * self.channels, 5, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(2 * self.channels, 1),
        )

    def prepare(self, image):
        return image

    def example(self, micrograph, slot, rng):
        wanted = slot.falls_to(0.5)
        place = positive(micrograph, rng) if wanted else negative(micrograph, rng, distance_px=12.0)
        image = Window.oriented(*place, self.size_px, rng).cut(micrograph.image)
        return Example(image, np.float32([wanted]))

    def loss(self, answer, target, epoch):
        return nn.functional.binary_cross_entropy_with_logits(answer, target)

    def optimiser(self, network, learning_rate):
        if self.momentum:
            return torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9)
        return torch.optim.Adam(network.parameters(), learning_rate)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        return 1.0 - 0.5 * epoch / epochs


@dataclass(frozen=True)
class DeadlyRecipe(SmallRecipe):
    """Kills the second worker in the middle of an epoch, once; ``killed`` remembers."""

    killed: str = ""
    at_epoch: float = 1.5

    def rate(self, epoch, epochs, validation):
        if epoch >= self.at_epoch and os.environ["RANK"] == "1" and not Path(self.killed).exists():
            Path(self.killed).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().rate(epoch, epochs, validation)


@dataclass(frozen=True)
class UnluckyRecipe(DeadlyRecipe):
    """Then meets an error of the program's own in the second worker; the first one waits for it meanwhile."""

    met: str = ""

    def rate(self, epoch, epochs, validation):
        if epoch >= 3 and os.environ["RANK"] == "1":
            with Path(self.met).open("a") as file:
                file.write("met\n")
            raise StoreError("the shard of 1.mrc is damaged; ingest it again")
        return super().rate(epoch, epochs, validation)


@dataclass(frozen=True)
class SlowRecipe(SmallRecipe):
    """Takes its time, so that something can happen meanwhile."""

    step_s: float = 0.0

    def rate(self, epoch, epochs, validation):
        time.sleep(self.step_s)
        return super().rate(epoch, epochs, validation)


def small_rows(url: Path, seeds) -> tuple[LabelledRow, ...]:
    """Store phantoms and return them with their true labels."""
    store = MicrographStore(str(url), create=True)
    rows = []
    for seed in seeds:
        phantom = make_phantom(
            seed,
            shape=(SIDE_PX, SIDE_PX),
            pixel_size_A=PIXEL_SIZE_A,
            diameter_A=DIAMETER_A,
            particles=20,
            signal_to_noise=2.0,
        )
        name, pixels = f"{seed}.mrc", phantom.pixels / phantom.pixels.std()
        row = _row(name, store.write(name, NormalisedImage(pixels, 0.0, 1.0)))
        centres = np.stack([phantom.x_px, phantom.y_px], axis=1).astype(np.float32)
        rows.append(
            LabelledRow(
                str(url), row, "phantom", DIAMETER_A, DIAMETER_A / 2, 1, centres, no_centres(), no_centres()
            )
        )
    return tuple(rows)


def dotted_row(url: Path, places, sigma_px: float = 6.0, store_side_px: int = SIDE_PX) -> LabelledRow:
    """Store Gaussian dots at ``(n, 2)`` places, in a store of any scale; return them with their labels."""
    y, x = np.indices((SIDE_PX, SIDE_PX))
    dots = sum(np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma_px**2)) for u, v in places)
    pixels = fourier_resize(np.asarray(dots), (store_side_px, store_side_px))
    store = MicrographStore(str(url), create=True)
    row = _row("dots.mrc", store.write("dots.mrc", NormalisedImage(pixels, 0.0, 1.0)), store_side_px)
    centres = np.asarray(places, np.float32)
    return LabelledRow(
        str(url), row, "dots", DIAMETER_A, DIAMETER_A / 2, 1, centres, centres[:1], centres[1:]
    )


def _row(name: str, shard_bytes: int, store_side_px: int = SIDE_PX) -> ManifestRow:
    return ManifestRow(
        micrograph_id=name,
        dataset="phantom",
        relion_name=name,
        source=name,
        checksum="crc32c:00000000",
        source_height_px=SIDE_PX,
        source_width_px=SIDE_PX,
        pixel_size_A=PIXEL_SIZE_A,
        height_px=store_side_px,
        width_px=store_side_px,
        shard_bytes=shard_bytes,
        voltage_kV=None,
        spherical_aberration_mm=None,
        amplitude_contrast=None,
        status="complete",
        reason="",
    )


def small_job(url: Path, recipe=None, **changes) -> TrainingJob:
    """Return a job of some seconds; its batch of 9 does not divide by two workers."""
    recipe = recipe or SmallRecipe()
    settings = {
        "epochs": 4,
        "steps": 6,
        "batch": recipe.batch,
        "learning_rate": recipe.learning_rate,
        "patience": 10,
        "precision": "float32",
        "seed": 5,
    } | changes
    return TrainingJob(
        recipe, small_rows(url, range(3)), small_rows(url, range(3, 5)), LoopSettings(**settings)
    )


def losses(state) -> np.ndarray:
    """Return ``(epochs, 2)`` losses of training and validation."""
    return np.array([(epoch.train_loss, epoch.validation_loss) for epoch in state.history])


class Told:
    """Listens to a training: keeps its steps, and hands its epochs on."""

    def __init__(self, on_epoch=lambda epoch: None):
        self.epoch, self.stepped = on_epoch, []

    def steps(self, epoch, done, total):
        self.stepped.append((epoch, done, total))
