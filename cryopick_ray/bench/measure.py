"""What is measured of one model: in the workers, stage by stage, by sizes and batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from cryopick_ray.bench.arithmetic import counter
from cryopick_ray.bench.bench_settings import BenchSettings
from cryopick_ray.bench.machine import Machine
from cryopick_ray.bench.passes import Way, ingest_pass, pick_pass, working_images
from cryopick_ray.bench.stage_record import stages
from cryopick_ray.bench.stopwatch import Stopwatch, TimedPart
from cryopick_ray.bench.workers import DIGEST, Whole, measure_workers
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.device.upload import Upload
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.pickers.scoring import Precision
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import resampled_shape, working_pixel_size_A

Note = Callable[[str], None]


class Measure:
    """What is measured of one model.

    Parameters
    ----------
    model, picker
        Its name or file, and its picker.
    machine
        That of the device which the picker uses.
    note
        Called with what is done next.
    """

    def __init__(
        self, model: str, picker: Picker, machine: Machine, settings: BenchSettings, note: Note
    ) -> None:
        self.model, self.picker, self.machine, self.settings = model, picker, machine, settings
        self._note = note

    def on(self, source: MicrographSource) -> dict[str, Any]:
        """Return what a micrograph takes: in the workers, by stages, by batches."""
        precision: Precision = (
            self.picker.scoring.precision if isinstance(self.picker, NetworkPicker) else "float32"
        )
        self._say(f"what this machine can do in {precision}")
        limits = self.machine.limits(precision)
        needed_A = working_pixel_size_A(self.settings.diameter_A, self.picker.particle_px)
        with self.workers(source) as whole:
            way = Way(
                source,
                whole.row,
                MicrographStore(whole.store_url),
                PickShards(whole.picks_url, DIGEST),
                self.picker,
                resampled_shape(whole.row.source_shape, whole.row.pixel_size_A, needed_A),
                Upload(self.picker.device),
            )
            self._say(f"stage by stage, {self.settings.repeats} times")
            candidates, counted, passes = self.passes(way)
            return {
                "model": self.model,
                "name": self.picker.name,
                "device": self.machine.name,
                "precision": precision,
                "settings": self.picker.settings(),
                "source_shape": list(whole.row.source_shape),
                "stored_shape": list(whole.row.shape),
                "working_shape": list(way.shape),
                "candidates": candidates,
                "limits": asdict(limits),
                "stages": [asdict(stage) for stage in stages(passes, counted, limits)],
                "ingest": asdict(whole.ingest),
                "pick": asdict(whole.pick),
                "batches": list(self.batches(way)),
            }

    def size(self, source: MicrographSource, side_px: int) -> dict[str, Any]:
        """Return what ingest and pick cost in the workers for a micrograph of some size."""
        with self.workers(source) as whole:
            costs = {"ingest": asdict(whole.ingest), "pick": asdict(whole.pick)}
        return {"model": self.model, "name": self.picker.name, "size": side_px, **costs}

    @contextmanager
    def workers(self, source: MicrographSource) -> Iterator[Whole]:
        """Ingest and pick a micrograph; store and picks are gone afterwards."""
        self._say(f"ingest and pick, {self.settings.repeats} times: {source.micrograph_id}")
        with TemporaryDirectory(prefix="cryopick-bench-") as folder:
            particle_px = self.picker.particle_px
            yield measure_workers(source, self.model, particle_px, Path(folder), self.settings, self.machine)

    def passes(self, way: Way) -> tuple[int, dict[str, TimedPart], list[dict[str, TimedPart]]]:
        """Return the number of candidates, the parts of a pass that was counted, and those of the timed."""
        count = counter()
        counted = Stopwatch(flops=count.get_total_flops)
        with count:
            ingest_pass(counted, way)
            found = pick_pass(counted, way, "counted")
        passes = []
        for number in range(self.settings.repeats):
            watch = Stopwatch(wait=self.machine.wait)
            ingest_pass(watch, way)
            pick_pass(watch, way, f"pass {number}")
            passes.append(watch.parts)
        return len(found), counted.parts, passes

    def batches(self, way: Way) -> Iterator[dict[str, Any]]:
        """Yield what a network's picker takes for one of ``n`` equal images that it is given at once."""
        picker = self.picker
        if not self.settings.batches or not isinstance(picker, NetworkPicker):
            return
        one = working_images(Stopwatch(), way, way.store.read_stored(way.row))
        for batch in self.settings.batches:
            self._say(f"{batch} at once")
            self.machine.forget_peaks()
            try:
                images = one.expand(batch, -1, -1).contiguous()
                self.pick_seconds(picker, images)
                spent = [self.pick_seconds(picker, images) for _ in range(self.settings.repeats)]
            except torch.OutOfMemoryError:
                self._say(f"{batch} at once do not fit in the GPU's memory")
                return
            yield {
                "batch": batch,
                "seconds": median(wall for wall, _ in spent) / batch,
                "cpu_seconds": median(cpu for _, cpu in spent) / batch,
                "peak_memory_bytes": self.machine.peak_memory_bytes(),
                "peak_device_memory_bytes": self.machine.peak_device_memory_bytes(),
            }

    def pick_seconds(self, picker: NetworkPicker[Any], images: torch.Tensor) -> tuple[float, float]:
        """Return wall-clock and CPU seconds of one batch."""
        watch = Stopwatch(wait=self.machine.wait)
        with watch.part("all"), torch.inference_mode():
            picker.pick_many(images)
        return watch.parts["all"].seconds, watch.parts["all"].cpu_seconds

    def _say(self, text: str) -> None:
        self._note(f"{self.picker.name}: {text}")
