"""The measurement: each model on one micrograph, then over sizes and batches."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from cryopick_ray.bench.bench_settings import BenchSettings
from cryopick_ray.bench.machine import Machine
from cryopick_ray.bench.measure import Measure, Note
from cryopick_ray.bench.synthetic import write_synthetic
from cryopick_ray.engine.memory import keep_freed_memory
from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.device.usable_device import usable_device
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.project import project_of


def bench(settings: BenchSettings, note: Note) -> dict[str, Any]:
    """Measure what the settings say, and return it as plain JSON.

    Files lie in a temporary folder, and are read from the system's cache: this is not about disks.

    Parameters
    ----------
    note
        Called with what is done next.

    Raises
    ------
    UsageError, ModelError, MicrographError
        If a model, the micrograph or the device cannot be used.
    """
    settings.check()
    device = usable_device(settings.device)
    torch.set_num_threads(settings.threads)
    keep_freed_memory()  # as a pick worker does
    pickers = {model: _load(model, settings, device) for model in settings.models}
    if settings.batches and not any(isinstance(picker, NetworkPicker) for picker in pickers.values()):
        raise UsageError("`batches` are for networks: give one with `model`")
    with TemporaryDirectory(prefix="cryopick-bench-") as folder:
        host, machine = Machine(torch.device("cpu")), Machine(device)
        measures = [
            Measure(model, picker, machine if isinstance(picker, NetworkPicker) else host, settings, note)
            for model, picker in pickers.items()
        ]
        sources = _Sources(settings, Path(folder), note)
        source = sources.first()
        return {
            "settings": settings.model_dump(mode="json"),
            "torch": torch.__version__,
            "models": [measure.on(source) for measure in measures],
            "sizes": [
                measure.size(sources.synthetic(side), side) for side in settings.sizes for measure in measures
            ],
        }


def _load(model: str, settings: BenchSettings, device: torch.device) -> Picker:
    return load_picker(
        model,
        particle_px=settings.particle_px,
        device=device.type,
        exact=settings.exact,
        precision=settings.dtype,
    )


class _Sources:
    """The micrographs to measure on, and the folder of those that are made."""

    def __init__(self, settings: BenchSettings, folder: Path, note: Note) -> None:
        self.settings, self.folder, self.note = settings, folder, note

    def first(self) -> MicrographSource:
        """Return the micrograph of the passes stage by stage."""
        if self.settings.input is None:
            return self.synthetic(self.settings.size_px)
        inputs = [str(self.settings.input)]
        return list_sources(inputs, relion_project=project_of(inputs), limit=1)[0]

    def synthetic(self, side_px: int) -> MicrographSource:
        """Return a synthetic micrograph, made if need be."""
        path, pixel_size_A = self.folder / f"synthetic-{side_px}.mrc", self.settings.synthetic_pixel_size_A
        if not path.exists():
            self.note(f"making a micrograph of {side_px} x {side_px} pixels")
            write_synthetic(path, side_px, pixel_size_A=pixel_size_A, diameter_A=self.settings.diameter_A)
        return MicrographSource(path.name, "bench", path, path.name, pixel_size_A=pixel_size_A)
