"""Parquet bytes to tables, and Crc32c checksums for what Parquet's own do not cover."""

from collections.abc import Collection

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


def read_parquet(data: bytes | None, texts: Collection[str] = ()) -> pa.Table:
    """Return the table in Parquet bytes, its page checksums verified; some columns of texts by dictionary.

    One thread: reading small tables through pyarrow's pool can abort the process at its end.
    """
    few = [name for name in pq.read_schema(pa.BufferReader(data)).names if name in texts] if texts else None
    file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True, read_dictionary=few)
    return file.read(use_threads=False)


def crc32c(data: bytes, before: int = 0) -> int:
    """Return the Crc32c of ``data``, or going on from that of what came ``before``."""
    return int(google_crc32c.extend(before, data))


def crc_hex(*parts: bytes | NDArray[np.float32] | NDArray[np.uint8]) -> bytes:
    """Return the Crc32c of bytes or little-endian numbers, in hexadecimal."""
    crc = 0
    for part in parts:
        crc = crc32c(part if isinstance(part, bytes) else part.tobytes(), crc)
    return b"%08x" % crc
