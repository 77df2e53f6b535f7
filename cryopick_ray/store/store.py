"""A store of micrographs: normalised arrays, each vouched for by the manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import DamagedError, StoreError, brief
from cryopick_ray.store import layout, shard_codec
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
        Make the store if it is missing, and what is damaged of its groups; else that is a
        :class:`StoreError`.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self.place = Place(url, create=create)
        root = self.place.get(layout.METADATA)
        if root is None and not create:
            raise StoreError(f"{url} holds no store; `cryopick ingest` makes one")
        attributes = None if root is None else _attributes(root)
        if root is not None and attributes is None and not create:
            raise StoreError(f"{url}/{layout.METADATA} is damaged; ingest again: it is then written anew")
        if create:
            self._found(f"{layout.MANIFEST}/{layout.METADATA}", {})
        if attributes is None:
            self._found(layout.METADATA, layout.FORMAT)
        elif attributes.get("cryopick_store") != layout.FORMAT["cryopick_store"]:
            raise StoreError(f"{url} is not a cryopick store of format {layout.FORMAT['cryopick_store']}")

    def _found(self, key: str, attributes: dict[str, Any]) -> None:
        """Write a group's metadata, unless it is there."""
        data = shard_codec.group(attributes)
        if self.place.get(key) != data:
            self.place.put(key, data)

    def write(self, micrograph_id: str, image: StoredPixels) -> int:
        """Write one micrograph, each of its objects whole; return its shard's bytes.

        Writing the same again changes nothing for whoever reads meanwhile; where the shape is another,
        rows of the earlier one are damaged from then on.
        """
        attributes = {
            "micrograph_id": micrograph_id,
            "normalisation_offset": image.offset,
            "normalisation_scale": image.scale,
        }
        objects = shard_codec.encode(image.pixels.astype(np.float16), attributes)
        for key, data in objects.items():
            self.place.put(f"{layout.array_key(micrograph_id)}/{key}", data)
        return len(objects[layout.SHARD])

    def holds(self, row: ManifestRow) -> bool:
        """Tell whether a micrograph is complete: the manifest says so and its shard has its size."""
        if row.status != "complete":
            return False
        return self.place.size(layout.shard_key(row.micrograph_id)) == row.shard_bytes

    def held(self, rows: Iterable[ManifestRow]) -> set[str]:
        """Return the ids of those micrographs that :meth:`holds` is true of, from one listing.

        Those whose array lacks its metadata, which zarr needs though we do not, are left out.
        """
        sizes = self.place.sizes()
        return {
            row.micrograph_id
            for row in rows
            if row.status == "complete"
            and sizes.get(layout.shard_key(row.micrograph_id)) == row.shard_bytes
            and sizes.get(layout.metadata_key(row.micrograph_id))
        }

    def forget(self, row: ManifestRow) -> None:
        """Remove a damaged shard: the micrograph is no longer held and the next ingest brings it back."""
        self.place.delete(layout.shard_key(row.micrograph_id))

    def read(self, row: ManifestRow) -> NDArray[np.float32]:
        """Return the ``(h, w)`` float32 pixels of a complete micrograph, as :meth:`read_stored` does."""
        return self.read_stored(row).astype(np.float32)

    def read_stored(self, row: ManifestRow) -> NDArray[np.float16]:
        """Return the ``(h, w)`` pixels of a complete micrograph in the half precision they are stored in.

        Raises
        ------
        StoreError
            If the manifest does not call it complete.
        DamagedError
            If its shard is missing, of another size, damaged, or holds a value that is not finite.
            Missing data never reads as zeros.
        UnreachableError
            If the store does not answer.
        """
        name, where = row.micrograph_id, self.place.url
        if row.status != "complete":
            raise StoreError(f"{name} is not complete in {where}: {row.reason}")
        data = self.place.get(layout.shard_key(name), at_most=row.shard_bytes)
        if data is None or len(data) != row.shard_bytes:
            raise DamagedError(
                f"the shard of {name} in {where} has {len(data or b'')} bytes, the manifest says "
                f"{row.shard_bytes}"
            )
        try:
            pixels = shard_codec.decode(data, row.shape)
        except (ValueError, RuntimeError, OSError, KeyError) as error:
            raise DamagedError(f"the shard of {name} in {where} is damaged: {brief(error)}") from error
        if pixels.shape != row.shape or pixels.dtype != np.float16 or not _all_finite(pixels):
            raise DamagedError(f"the shard of {name} in {where} is damaged: shape or values are wrong")
        return pixels


def _all_finite(pixels: NDArray[np.float16]) -> bool:
    """Tell from the bits whether all numbers are finite: half-precision arithmetic is slow."""
    return bool(np.left_shift(pixels.view(np.uint16), 1).max() < INFINITY_BITS)


def _attributes(group_json: bytes) -> dict[str, Any] | None:
    """Return a group's attributes; ``None`` if its metadata is damaged."""
    try:
        attributes = json.loads(group_json).get("attributes", {})
    except (ValueError, AttributeError, RecursionError):
        return None
    return attributes if isinstance(attributes, dict) else None
