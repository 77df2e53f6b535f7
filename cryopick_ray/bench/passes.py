"""One pass of one micrograph, stage by stage: file to store, store to shard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.bench.stopwatch import Route, Stopwatch
from cryopick_ray.micrographs.decimate import planned
from cryopick_ray.micrographs.image_facts import look_at
from cryopick_ray.micrographs.no_data import SCANNED_ROWS, find_no_data
from cryopick_ray.micrographs.preprocess import clipped_blocks, normalise
from cryopick_ray.micrographs.reader import read_micrograph, source_checksum
from cryopick_ray.micrographs.resample import block_rows, resize_blocks
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.device.resize import fourier_resize_on_device
from cryopick_ray.pickers.device.upload import Upload
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Candidates, Picker
from cryopick_ray.picks.columns import in_angstroms
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.store import MicrographStore, StoredPixels
from cryopick_ray.units import Shape, resampled_to_source

REST = "normalise and decode"
"""All of a network picker's work that is neither its network nor its search for peaks."""


@dataclass(frozen=True)
class Way:
    """One micrograph, and where it goes.

    Attributes
    ----------
    row
        What the store's manifest says of it.
    picker, shape
        Who picks, and the shape of the image that it picks in.
    upload
        Takes what was stored to the picker's device.
    """

    source: MicrographSource
    row: ManifestRow
    store: MicrographStore
    shards: PickShards
    picker: Picker
    shape: Shape
    upload: Upload


def ingest_pass(watch: Stopwatch, way: Way) -> None:
    """Bring the micrograph from its file into the store, block by block as an ingest worker does."""
    with watch.part("read") as part:  # of a mapped file the rows that tell of areas without data
        micrograph = read_micrograph(way.source.path)
        pixels, file = micrograph.pixels, micrograph.file
        find_no_data(pixels)
        part.bytes = pixels.nbytes if file is None else pixels.nbytes // SCANNED_ROWS
    if file is None:
        with watch.part("checksum") as part:
            source_checksum(way.source.path)
            part.bytes = way.source.path.stat().st_size

    def seen(rows: NDArray[Any]) -> None:
        if file is not None:
            with watch.part("checksum") as part:
                file.see(rows)
                part.bytes += rows.nbytes

    with watch.part("crop") as part:
        down = planned(micrograph.shape[0], way.row.shape[0])
        rows = block_rows(micrograph.shape[1], down.strip if down else 1)
        blocks = timed_blocks(watch, clipped_blocks(pixels, rows=rows, seen=seen))
        image = resize_blocks(blocks, micrograph.shape, way.row.shape, down)
        part.bytes = 4 * pixels.size + image.nbytes
    with watch.part("normalise") as part:
        normalised = normalise(image)
        part.bytes = 2 * image.nbytes
    with watch.part("look") as part:
        look_at(normalised.pixels)
        part.bytes = image.nbytes
    with watch.part("write") as part:
        stored = StoredPixels(normalised.pixels, normalised.offset, normalised.scale)
        part.bytes = image.nbytes + way.store.write(way.row.micrograph_id, stored)


def timed_blocks(watch: Stopwatch, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Yield blocks, what their making takes charged to a part of its own."""
    while True:
        with watch.part("decode") as part:
            block = next(blocks, None)
            if block is None:
                return
            part.bytes += block.nbytes
        yield block


def pick_pass(watch: Stopwatch, way: Way, shard_name: str) -> Candidates:
    """Pick the stored micrograph and publish the candidates as ``shard_name``, which must be new."""
    with watch.part("store read") as part:
        stored = way.store.read_stored(way.row)
        part.bytes = way.row.shard_bytes + stored.nbytes
    images = working_images(watch, way, stored)
    if isinstance(way.picker, NetworkPicker):
        found = network_pick(watch, way.picker, images)[0]
    else:
        with watch.part("pick") as part:
            found = way.picker.pick_many(images)[0]
            part.bytes = images.nbytes
    with watch.part("parquet") as part:
        x, y = resampled_to_source(found.x, found.y, way.shape, way.row.source_shape)
        pixel_size_A = way.row.pixel_size_A * way.row.source_shape[0] / way.shape[0]
        more = in_angstroms(found.more, pixel_size_A)
        picked = Picked(shard_name, way.row.checksum, Candidates(x, y, found.score, more=more))
        way.shards.publish([picked])
        part.bytes = 2 * (x.nbytes + y.nbytes + found.score.nbytes)
    return found


def working_images(watch: Stopwatch, way: Way, stored: NDArray[np.float16]) -> Tensor:
    """Return what the picker is given: ``(1, h, w)`` float32, on its device."""
    with watch.part("copy") as part:
        images = way.upload([stored])
        part.route = "link" if images.is_cuda else "memory"
        part.bytes = 2 * stored.nbytes if images.is_cuda else stored.nbytes + images.nbytes
    if way.shape == way.row.shape:
        return images
    with watch.part("resize") as part:
        resized = fourier_resize_on_device(images, way.shape)
        part.bytes, part.route = images.nbytes + resized.nbytes, _route(images)
    return resized


def network_pick(watch: Stopwatch, picker: NetworkPicker[Any], images: Tensor) -> list[Candidates]:
    """Pick in ``(n, h, w)`` images, the network and the search for peaks timed apart from the rest."""
    with torch.inference_mode(), parts_of(picker, watch), watch.part(REST) as part:
        part.bytes, part.route = 2 * images.nbytes, _route(images)
        return picker.pick_many(images)


@contextmanager
def parts_of(picker: NetworkPicker[Any], watch: Stopwatch) -> Iterator[None]:
    """Charge what the picker asks its network, and its search for peaks, to parts of their own."""

    def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed_call(x: Tensor, **options: Any) -> Any:
            with watch.part(name) as part:
                part.route = _route(x)
                if name == "peaks":
                    part.bytes += x.nbytes
                return call(x, **options)

        return timed_call

    own = vars(picker)  # what is set here hides the class's methods until it is taken away
    own |= {"ask": timed("network", picker.ask), "peaks": timed("peaks", picker.peaks)}
    try:
        yield
    finally:
        del own["ask"], own["peaks"]


def _route(x: Tensor) -> Route:
    return "device" if x.is_cuda else "memory"
