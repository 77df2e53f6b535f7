"""A run of many micrographs as its own writers publish it, without picking anything: few pixels, many names.

Sources, stored images and masks are hard links to a few; manifest, shards and settings are one by one what
a run writes. ``cryopick run --resume`` finds nothing to do but the table and what is made of it.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import mrcfile
import numpy as np

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.engine.unit_rules import cut, unit_size
from cryopick_ray.micrographs.image_facts import ImageFacts
from cryopick_ray.micrographs.junk import JunkMask, shares_text
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.settings.config import rooted, to_yaml
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.pick import prepare_picking
from cryopick_ray.store.layout import METADATA, SHARD, array_key
from cryopick_ray.store.manifest import ManifestRow, publish_part
from cryopick_ray.store.masks import MaskShelf
from cryopick_ray.store.scale import stored_shape
from cryopick_ray.store.store import MicrographStore, StoredPixels
from cryopick_ray.units import Shape

SIDE_PX, PIXEL_SIZE_A, DIAMETER_A = 4096, 1.0, 150.0
FEWEST, MOST = 300, 700
"""Candidates of a micrograph."""
IMAGES = 8
"""Different ones: a file has no more than 65,000 names on some file systems."""
IN_A_FOLDER = 500
GOOD_SHARE, JUNK_SHARE = 0.35, 0.02
"""Of the candidates: those with the scores of particles, and those on junk."""


def micrograph_id(number: int) -> str:
    """Return a name as long as they come."""
    return f"GridSquare_{number // IN_A_FOLDER:06d}/Data/FoilHole_{number:08d}_Data_fractions.mrc"


def make_run(folder: Path, micrographs: int) -> None:
    """Make the folders ``in`` and ``run`` below ``folder``."""
    names = [micrograph_id(number) for number in range(micrographs)]
    inputs, run = folder / "in", folder / "run"
    run.mkdir(parents=True)
    rng = np.random.default_rng(0)
    _sources(inputs, names, rng)
    settings = rooted(
        RunSettings(inputs=(str(inputs),), diameter_A=DIAMETER_A, relion_project=folder.absolute())
    )
    (run / "config.yaml").write_text(to_yaml(settings))
    store_url, picks_url = str(run / "store.zarr"), str(run / "picks")
    store = MicrographStore(store_url, create=True)
    picking = prepare_picking(store_url, picks_url, settings.pick, SerialEngine(), Silence(), device="cpu")
    shape = stored_shape((SIDE_PX, SIDE_PX), PIXEL_SIZE_A, picking.pixel_size_A)
    sizes = _images(store, names, shape, rng)
    masks = _masks(store, picking.digest, names, shape, rng)
    shards = PickShards(picks_url, picking.digest)
    rows = [_row(inputs, name, number, shape, sizes) for number, name in enumerate(names)]
    for unit in cut(rows, unit_size(micrographs)):
        publish_part(store.place, unit.items)
        shards.publish([_picked(row, next(masks), rng) for row in unit.items])


def _sources(inputs: Path, names: Sequence[str], rng: np.random.Generator) -> None:
    """Write the files of the micrographs."""
    for number, name in enumerate(names):
        path = inputs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if number >= IMAGES:
            os.link(inputs / names[number % IMAGES], path)
            continue
        with mrcfile.new(path) as file:
            file.set_data(rng.integers(-9, 9, (SIDE_PX, SIDE_PX), np.int8))
            file.voxel_size = PIXEL_SIZE_A


def _images(
    store: MicrographStore, names: Sequence[str], shape: Shape, rng: np.random.Generator
) -> list[int]:
    """Write the stored pixels; return the bytes of the different shards."""
    root = Path(store.place.url)
    sizes = []
    for number, name in enumerate(names):
        if number < IMAGES:
            sizes.append(store.write(name, StoredPixels(rng.normal(size=shape).astype(np.float32), 0.0, 1.0)))
            continue
        own, first = root / array_key(name), root / array_key(names[number % IMAGES])
        (own / SHARD).parent.mkdir(parents=True)
        for key in (METADATA, SHARD):
            os.link(first / key, own / key)
    return sizes


def _masks(
    store: MicrographStore,
    digest: str,
    names: Sequence[str],
    shape: Shape,
    rng: np.random.Generator,
) -> Iterator[str]:
    """Write masks of junk; yield their keys."""
    shelf, root = MaskShelf(store.place, digest), Path(store.place.url)
    firsts: list[str] = []
    for number, name in enumerate(names):
        if number < IMAGES:
            firsts.append(shelf.put(name, JunkMask(rng.integers(0, 2, (16, 16), np.uint8), shape)))
            yield firsts[-1]
            continue
        first = firsts[number % IMAGES]
        own = first.replace(array_key(names[number % IMAGES]), array_key(name))
        os.link(root / first, root / own)
        yield own


def _row(inputs: Path, name: str, number: int, shape: Shape, sizes: Sequence[int]) -> ManifestRow:
    stat = (inputs / name).stat()
    return ManifestRow(
        micrograph_id=name,
        dataset=inputs.name,
        relion_name=f"{inputs.name}/{name}",
        source=str(inputs / name),
        checksum=f"crc32c:{number:08x}",
        source_height_px=SIDE_PX,
        source_width_px=SIDE_PX,
        pixel_size_A=PIXEL_SIZE_A,
        height_px=shape[0],
        width_px=shape[1],
        shard_bytes=sizes[number % IMAGES],
        voltage_kV=300.0,
        spherical_aberration_mm=2.7,
        amplitude_contrast=0.1,
        status="complete",
        reason="",
        source_bytes=stat.st_size,
        source_mtime_ns=stat.st_mtime_ns,
        looks=ImageFacts(half_turn=round(1e-6 * number, 6)).to_text(),
    )


def _picked(row: ManifestRow, mask: str, rng: np.random.Generator) -> Picked:
    """Return candidates of random places and scores, some of particles, some on junk."""
    n = int(rng.integers(FEWEST, MOST + 1))
    x, y = rng.uniform(0, SIDE_PX - 1, (2, n)).astype(np.float32)
    is_good = rng.random(n) < GOOD_SHARE
    score = np.where(is_good, rng.beta(6, 2, n), rng.beta(1, 6, n)).astype(np.float32)
    junk = (rng.random(n) < JUNK_SHARE).astype(np.uint8)
    size = rng.normal(DIAMETER_A, 15, n).astype(np.float32)
    order = np.lexsort((x, y, -score))  # as pickers do
    found = Candidates(x[order], y[order], score[order], junk[order], more={"size_A": size[order]})
    share = shares_text({"carbon": round(float(rng.random()) / 10, 6)})
    return Picked(row.micrograph_id, row.checksum, found, mask=mask, junk_share=share)
