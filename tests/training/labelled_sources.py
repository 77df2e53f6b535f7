"""Micrographs of a store that needs no pixels, and labels of them."""

import numpy as np

from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import nowhere


def manifest_row(name, shape=(100, 200), pixel_size_A=2.0, status="complete"):
    return ManifestRow(
        micrograph_id=name,
        dataset="d",
        relion_name=name,
        source=name,
        checksum="crc32c:00000000",
        source_height_px=shape[0],
        source_width_px=shape[1],
        pixel_size_A=pixel_size_A,
        height_px=shape[0],
        width_px=shape[1],
        shard_bytes=1,
        voltage_kV=None,
        spherical_aberration_mm=None,
        amplitude_contrast=None,
        status=status,
        reason="",
    )


def labelled_row(name, count=3, **changes):
    centres = np.random.default_rng(len(name)).uniform(0, 99, (count, 2)).astype(np.float32)
    fields = {
        "store_url": "",
        "row": manifest_row(name),
        "dataset": "d",
        "diameter_A": 40.0,
        "radius_A": 20.0,
        "sign": 1,
        "particles": centres,
        "false": nowhere(),
        "unsure": nowhere(),
    }
    return LabelledRow(**fields | changes)


def names(rows):
    return [row.row.micrograph_id for row in rows]
