"""The networks that are tried on a GPU, and stores of phantoms for them to pick in."""

from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import mrcfile
import torch
from torch import Tensor, nn

from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.weights import ModelCard, save_model, weights_digest
from cryopick_ray.settings.run_settings import IngestSettings, PickSettings
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.recipes.recipe_catalogue import make_recipe

SHIPPED = ("resnet8_u32", "resnet8_u64", "resnet16_u64")
"""Networks of Topaz's."""
LEARNT = {
    "cryolo": {"architecture": "cryolo-16", "width": 32},
    "heatmap": {"base": 24},
    "deeppicker": {},
    "deepem": {},
}
"""Networks that get random weights, at the size of their papers."""
TOPAZ_PARTICLE_PX, TOPAZ_RADIUS_PX = 27, 14
SIDE_PX = {"cryolo": 1024}
USUAL_SIDE_PX = 512
PIXEL_SIZE_A = 1.0
PHANTOMS, DIGEST = 16, "gpu"


@dataclass(frozen=True)
class Model:
    """A weights file, and the pixels that it picks in."""

    name: str
    path: Path
    particle_px: float
    side_px: int

    @property
    def settings(self) -> PickSettings:
        """Settings by which it picks at the store's own scale."""
        return PickSettings(
            model=str(self.path), particle_px=self.particle_px, diameter_A=PIXEL_SIZE_A * self.particle_px
        )

    def load(self, device: str, precision: Any = "auto") -> NetworkPicker[Any]:
        """Return its picker."""
        picker = load_picker(str(self.path), particle_px=self.particle_px, device=device, precision=precision)
        assert isinstance(picker, NetworkPicker)
        return picker


@dataclass(frozen=True)
class Stored:
    """Micrographs in a store, and the files that they came from, one each."""

    url: str
    rows: tuple[ManifestRow, ...]
    files: tuple[Path, ...]

    def images(self, many: int, device: torch.device) -> Tensor:
        """Return ``(n, h, w)`` images of the store on a device."""
        store = MicrographStore(self.url)
        return torch.stack([torch.from_numpy(store.read(row)) for row in self.rows[:many]]).to(device)


def models_in(weights: Path, folder: Path, shrink: int) -> list[Model]:
    """Return all models, for images ``shrink`` times smaller; random weights are put into ``folder``."""
    found = [
        Model(name, weights / f"{name}.sav", TOPAZ_PARTICLE_PX, USUAL_SIDE_PX // shrink) for name in SHIPPED
    ]
    for name, options in LEARNT.items():
        recipe = make_recipe(name, options, [])
        path = folder / f"{name}.safetensors"
        state = random_state(recipe.build())
        card = ModelCard(
            name=recipe.architecture,
            architecture=recipe.architecture,
            parameters=recipe.parameters,
            particle_px=recipe.particle_px,
            normalisation=recipe.normalisation,
            trained_on="nothing: random weights",
            licence="none",
            source="benchmark",
            digest=weights_digest(state),
        )
        save_model(path, state, card)
        side_px = SIDE_PX.get(name, USUAL_SIDE_PX) // shrink
        found.append(Model(recipe.architecture, path, recipe.particle_px, side_px))
    return found


def random_state(network: nn.Module) -> dict[str, Tensor]:
    """Return random weights under which something is found everywhere: networks begin by finding nothing."""
    torch.manual_seed(0)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    return network.state_dict()


def fill_store(folder: Path, side_px: int, many: int) -> Stored:
    """Ingest ``many`` micrographs, a few phantoms again and again."""
    folder.mkdir()
    particles = max(1, (side_px // 64) ** 2)
    paths = []
    for seed in range(min(PHANTOMS, many)):
        phantom = make_phantom(
            seed,
            shape=(side_px, side_px),
            pixel_size_A=PIXEL_SIZE_A,
            diameter_A=TOPAZ_PARTICLE_PX * PIXEL_SIZE_A,
            particles=particles,
        )
        paths.append(folder / f"{seed:02d}.mrc")
        with mrcfile.new(paths[-1]) as file:
            file.set_data(phantom.pixels)
            file.voxel_size = PIXEL_SIZE_A
    sources = []
    for number, path in zip(range(many), cycle(paths)):
        link = folder / f"micrograph-{number:05d}.mrc"
        link.hardlink_to(path)
        sources.append(MicrographSource(link.name, DIGEST, link, link.name))
    url = str(folder / "store.zarr")
    store = MicrographStore(url, create=True)
    report = IngestWorker(url, IngestSettings()).process(sources)
    assert not report.failures, report.failures
    rows = read_manifest(store.place).values()
    return Stored(url, tuple(rows), tuple(source.path for source in sources))
