"""Small EER files from the published format: BigTIFF, one strip a detector frame, run lengths in bits."""

import struct
from pathlib import Path

import numpy as np

BITS = {65000: (8, 2, 2), 65001: (7, 2, 2), 65002: (6, 2, 2)}
METADATA = (
    b'<metadata><item name="sensorPixelSize.height" unit="m">7.5e-11</item>'
    b'<item name="sensorPixelSize.width" unit="m">7.5e-11</item></metadata>'
)


def encode(pixels, across, down, size: int, bits) -> bytes:
    """Return the code of electrons on ascending ``pixels`` of ``size``, at quarters across and down."""
    run_bits, across_bits, down_bits = bits
    longest = 2**run_bits - 1
    stream: list[int] = []

    def put(value: int, width: int) -> None:
        stream.extend(value >> place & 1 for place in range(width))

    at = 0
    for pixel, x, y in zip(pixels.tolist(), across.tolist(), down.tolist(), strict=True):
        while pixel - at >= longest:
            put(longest, run_bits)
            at += longest
        put(pixel - at, run_bits)
        put(x ^ 2, across_bits)
        put(y ^ 2, down_bits)
        at = pixel + 1
    while size - at >= longest:
        put(longest, run_bits)
        at += longest
    put(size - at, run_bits)
    return np.packbits(stream, bitorder="little").tobytes() + bytes(3)


def random_events(rng: np.random.Generator, shape, electrons: float):
    """Return pixels that an electron hits, one at most each, and where in the pixel."""
    hit = np.flatnonzero(rng.random(shape[0] * shape[1]) < electrons)
    return hit, rng.integers(0, 4, hit.size), rng.integers(0, 4, hit.size)


def rendered(events, shape, upsampling: int) -> np.ndarray:
    """Return the counts that the events make."""
    pixels, across, down = events
    rows, columns = np.divmod(pixels, shape[1])
    image = np.zeros((shape[0] * upsampling, shape[1] * upsampling), np.uint16)
    quarter = 4 // upsampling
    np.add.at(image, (rows * upsampling + down // quarter, columns * upsampling + across // quarter), 1)
    return image


def write_eer(path: Path, frames, shape, compression: int = 65001, metadata: bytes = METADATA) -> Path:
    """Write detector frames, each a list of events as :func:`random_events` has them."""
    bits = BITS[compression]
    content = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
    link = 8
    for number, (pixels, across, down) in enumerate(frames):
        data = encode(pixels, across, down, shape[0] * shape[1], bits)
        start = len(content)
        content += data
        tags = {256: (4, shape[1]), 257: (4, shape[0]), 259: (3, compression), 273: (16, start)}
        tags |= {278: (4, shape[0]), 279: (16, len(data))}
        if compression == 65002:
            tags |= {65007 + i: (3, bit) for i, bit in enumerate(bits)}
        entries = [struct.pack("<HHQQ", tag, kind, 1, value) for tag, (kind, value) in tags.items()]
        if number == 0 and metadata:
            entries.append(struct.pack("<HHQQ", 65001, 7, len(metadata), len(content)))
            content += metadata
        struct.pack_into("<Q", content, link, len(content))
        content += struct.pack("<Q", len(entries)) + b"".join(entries)
        link = len(content)
        content += struct.pack("<Q", 0)
    path.write_bytes(content)
    return path
