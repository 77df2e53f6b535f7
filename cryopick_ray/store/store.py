"""A store of micrographs: normalised arrays, each vouched for by the manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.errors import NodeNotFoundError

from cryopick_ray.errors import StoreError
from cryopick_ray.store import layout
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.place import Place

INFINITY_BITS = 0xF800
"""Infinity in half precision without its sign bit; NaNs are above."""


@dataclass(frozen=True)
class StoredPixels:
    """A normalised micrograph on its way into the store.

    Attributes
    ----------
    pixels
        ``(h, w)`` float32, zero mean and unit width.
    offset, scale
        The affine normalisation undone: ``raw = pixels * scale + offset``.
    """

    pixels: NDArray[np.float32]
    offset: float
    scale: float


class MicrographStore:
    """Micrographs under one root, written by ingest units and read by pick units.

    Parameters
    ----------
    url
        A folder or a bucket URL.
    create
        Make the store if it is missing; else its absence is a :class:`StoreError`.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self.place = Place(url, create=create)
        self._zarr = self.place.zarr()
        root = self.place.get("zarr.json")
        if root is None and not create:
            raise StoreError(f"{url} holds no store; make one with: cryopick ingest INPUT --store {url}")
        if root is None:
            zarr.create_group(self._zarr, attributes=layout.FORMAT)
            zarr.create_group(self._zarr, path=layout.MANIFEST)
        elif _attributes(root).get("cryopick_store") != layout.FORMAT["cryopick_store"]:
            raise StoreError(f"{url} is not a cryopick store of format {layout.FORMAT['cryopick_store']}")

    def write(self, micrograph_id: str, image: StoredPixels) -> int:
        """Write one micrograph whole, replacing any earlier attempt; return its shard's bytes."""
        array = zarr.create_array(
            self._zarr,
            name=layout.array_key(micrograph_id),
            attributes={
                "micrograph_id": micrograph_id,
                "normalisation_offset": image.offset,
                "normalisation_scale": image.scale,
            },
            overwrite=True,
            **layout.array_spec((image.pixels.shape[0], image.pixels.shape[1])),
        )
        array[:] = image.pixels.astype(np.float16)
        size = self.place.size(layout.shard_key(micrograph_id))
        if size is None:
            raise StoreError(f"{self.place.url}: the shard of {micrograph_id} vanished while it was written")
        return size

    def holds(self, row: ManifestRow) -> bool:
        """Tell whether a micrograph is complete: the manifest says so and its shard has its size."""
        if row.status != "complete":
            return False
        return self.place.size(layout.shard_key(row.micrograph_id)) == row.shard_bytes

    def read(self, row: ManifestRow) -> NDArray[np.float32]:
        """Return the ``(h, w)`` float32 pixels of a complete micrograph, as :meth:`read_stored` does."""
        return self.read_stored(row).astype(np.float32)

    def read_stored(self, row: ManifestRow) -> NDArray[np.float16]:
        """Return the ``(h, w)`` pixels of a complete micrograph in the half precision they are stored in.

        Raises
        ------
        StoreError
            If the manifest does not call it complete, or its shard is missing, of another size,
            damaged, or holds a value that is not finite. Missing data never reads as zeros.
        """
        name, where = row.micrograph_id, self.place.url
        if row.status != "complete":
            raise StoreError(f"{name} is not complete in {where}: {row.reason}")
        size = self.place.size(layout.shard_key(name))
        if size != row.shard_bytes:
            raise StoreError(
                f"the shard of {name} in {where} has {size or 0} bytes, the manifest says {row.shard_bytes}"
            )
        try:
            array = zarr.open_array(self._zarr, path=layout.array_key(name), mode="r")
            pixels = np.asarray(array[:])
        except (ValueError, RuntimeError, OSError, KeyError, NodeNotFoundError) as error:
            raise StoreError(f"the shard of {name} in {where} is damaged: {error}") from error
        if pixels.shape != row.shape or pixels.dtype != np.float16 or not _all_finite(pixels):
            raise StoreError(f"the shard of {name} in {where} is damaged: shape or values are wrong")
        return pixels


def _all_finite(pixels: NDArray[np.float16]) -> bool:
    """Tell from the bits whether all numbers are finite: half-precision arithmetic is slow."""
    return bool(np.left_shift(pixels.view(np.uint16), 1).max() < INFINITY_BITS)


def _attributes(group_json: bytes) -> dict[str, Any]:
    try:
        attributes = json.loads(group_json).get("attributes", {})
    except (ValueError, AttributeError):
        return {}
    return attributes if isinstance(attributes, dict) else {}
