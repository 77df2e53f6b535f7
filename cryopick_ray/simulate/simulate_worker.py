"""Settings to files: what one simulation worker does with a unit."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from cryopick_ray.engine.unit import UnitReport, stay, until
from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import SimulatedMicrograph, simulate
from cryopick_ray.simulate.simulation_settings import SimulationSettings
from cryopick_ray.simulate.truth_star import truth_star
from cryopick_ray.store.manifest import ManifestRow, publish_part
from cryopick_ray.store.publish import below, whole, write_whole
from cryopick_ray.store.store import MicrographStore, StoredPixels


@dataclass(frozen=True)
class Simulated:
    """One micrograph to make, by number."""

    number: int

    @property
    def micrograph_id(self) -> str:
        """File name of the micrograph."""
        return f"simulated_{self.number:06d}.mrc"


class SimulateWorker:
    """Makes micrographs and writes them, their truth and their masks below a folder.

    ``micrographs/`` (or a store), ``truth/`` with the particles, ``decoys/`` with what looks like
    particles and is none, ``masks/`` with the codes of :class:`~cryopick_ray.micrographs.junk.Junk`. Every
    file appears whole.
    """

    def __init__(self, out: Path, settings: SimulationSettings, store_url: str | None) -> None:
        torch.set_num_threads(1)
        self._out = out
        self._settings = settings
        self._molecules = [load_molecule(name) for name in settings.molecules]
        self._store = MicrographStore(store_url) if store_url else None

    def process(self, items: Sequence[Simulated], leaving: Callable[[], bool] = stay) -> UnitReport:
        """Make the micrographs; a second worker would make the same files."""
        start = time.perf_counter()
        failures, rows, begun = [], [], 0
        for item in until(leaving, items):
            begun += 1
            try:
                rows += self._make(item)
            except (UsageError, MicrographError) as error:
                failures.append((item.micrograph_id, str(error)))
        if self._store is not None:
            publish_part(self._store.place, rows)
        seconds = {"simulate": time.perf_counter() - start}
        undone = tuple(range(begun, len(items)))
        return UnitReport(begun - len(failures), tuple(failures), undone=undone, seconds=seconds)

    def give_up(self, items: Sequence[Simulated], reason: str) -> UnitReport:
        """Report that the micrographs could not be made."""
        return UnitReport(complete=0, failures=tuple((item.micrograph_id, reason) for item in items))

    def _make(self, item: Simulated) -> list[ManifestRow]:
        """Make one micrograph; return its row of the store's manifest, if there is a store."""
        with scipy.fft.set_workers(1):
            made = simulate(self._settings, self._molecules, item.number)
        name, pixel_size_A = item.micrograph_id, self._settings.pixel_size_A
        for folder, pickable in (("truth", True), ("decoys", False)):
            text = truth_star(made, self._molecules, f"micrographs/{name}", pickable=pickable)
            write_whole(below(self._out / folder, Path(name).with_suffix(".star")), text)
        _write_mrc(below(self._out / "masks", name), made.junk.astype(np.int8), pixel_size_A)
        if self._store is None:
            # Last of all: a micrograph that is there has its truth.
            _write_mrc(below(self._out / "micrographs", name), made.pixels, pixel_size_A)
            return []
        return [_stored(self._store, name, made)]


def is_made(out: Path, item: Simulated) -> bool:
    """Tell whether a micrograph's file is there, and with it all that belongs to it."""
    return (out / "micrographs" / item.micrograph_id).is_file()


def has_truth(out: Path, item: Simulated) -> bool:
    """Tell whether a micrograph's particles are known."""
    return (out / "truth" / item.micrograph_id).with_suffix(".star").is_file()


def _stored(store: MicrographStore, name: str, made: SimulatedMicrograph) -> ManifestRow:
    height, width = made.pixels.shape
    optics = made.microscope.optics
    image = prepare(made.pixels, (height, width))
    return ManifestRow(
        micrograph_id=name,
        dataset="simulated",
        relion_name=f"micrographs/{name}",
        source="",
        checksum="",
        source_height_px=height,
        source_width_px=width,
        pixel_size_A=made.microscope.pixel_size_A,
        height_px=height,
        width_px=width,
        shard_bytes=store.write(name, StoredPixels(image.pixels, image.offset, image.scale)),
        voltage_kV=optics.voltage_kV,
        spherical_aberration_mm=optics.spherical_aberration_mm,
        amplitude_contrast=optics.amplitude_contrast,
        status="complete",
        reason="",
    )


def _write_mrc(path: Path, pixels: NDArray[np.float32] | NDArray[np.int8], pixel_size_A: float) -> None:
    with whole(path) as aside, mrcfile.new(aside, overwrite=True) as mrc:
        mrc.set_data(pixels)
        mrc.voxel_size = pixel_size_A
        # The label holds the time of writing, and equal seeds shall give equal files.
        mrc.header.label = b""
        mrc.header.nlabl = 0
