"""Builders of small files that are made to cost much."""

import io
import struct
import zipfile
import zlib
from itertools import pairwise

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from tests.micrographs.epu_files import epu_xml


def tiff(pages, links, *, compression=None, shape=(8, 8)):
    """Return a TIFF whose page ``n`` is followed by page ``links[n]``."""
    made = io.BytesIO()
    with tifffile.TiffWriter(made) as writer:
        for _ in range(pages):
            writer.write(
                np.zeros(shape, np.uint8), photometric="minisblack", compression=compression, metadata=None
            )
    data = bytearray(made.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as read:
        starts = [page.offset for page in read.pages]
    for page, following in links.items():
        (tags,) = struct.unpack_from("<H", data, starts[page])
        struct.pack_into("<I", data, starts[page] + 2 + 12 * tags, starts[following])
    return bytes(data)


def retagged(data, changes):
    """Return a classic TIFF with tags of its first page changed: ``{code: (type, count, value)}``."""
    data = bytearray(data)
    (start,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, start)
    for place in range(start + 2, start + 2 + 12 * tags, 12):
        (code,) = struct.unpack_from("<H", data, place)
        if code in changes:
            struct.pack_into("<HII", data, place + 2, *changes[code])
    return bytes(data)


def mrc(nx, ny, nz, mode=0):
    """Return the header of an MRC file."""
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, nx, ny, nz, mode)
    struct.pack_into("<3i3f", header, 28, nx, ny, nz, 1.5 * nx, 1.5 * ny, 1.5)
    header[208:216] = b"MAP DD\0\0"
    return bytes(header)


def bomb(pack, header, size):
    """Return packed zeros, ``size`` bytes of them, behind a header."""
    return pack(header + bytes(size))


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(10**6))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def laughs(lines=9, width=9):
    names = "abcdefghijklmnopqrstuvwxyz"
    text = f"a: &a [{','.join(['lol'] * width)}]\n"
    for before, name in pairwise(names[: lines + 1]):
        text += f"{name}: &{name} [{','.join([f'*{before}'] * width)}]\n"
    return text.encode()


def pickled(opcodes):
    """Return a PyTorch archive of this pickle and no tensors."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", opcodes)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
    return made.getvalue()


def nested_tuple_key(depth):
    """Return the pickle of a key of tuples of twice the same tuple: hashing it takes ``2**depth`` steps."""
    doubled = b"".join(b"\x86q" + bytes([n]) + b"h" + bytes([n]) for n in range(depth))
    return b"\x80\x02}K\x01K\x01" + doubled + b"\x86K\x02s."


def jpeg_of_scans(side, scans):
    """Return a progressive JPEG whose last scan comes many times."""
    made = io.BytesIO()
    Image.new("L", (side, side)).save(made, "JPEG", progressive=True)
    data = made.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def strip_bomb(compression, size):
    """Return a TIFF of 8 x 8 pixels whose one strip unpacks to more."""
    data = bytearray(tiff(1, {}))
    packed = {8: zlib.compress, 50000: imagecodecs.zstd_encode, 5: imagecodecs.lzw_encode}[compression](
        bytes(size)
    )
    changes = {259: (3, 1, compression), 273: (4, 1, len(data)), 279: (4, 1, len(packed))}
    return retagged(data, changes) + packed


def shared_tags(pages, size):
    """Return a TIFF whose pages all have the same long tag."""
    head, end = b"II*\0" + struct.pack("<I", 8 + size), bytes(size)
    ifds = b""
    for page in range(pages):
        start = 8 + size + page * (2 + 8 * 12 + 4)
        tags = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
        tags += [(273, 4, size // 4, 8), (278, 4, 1, 8), (279, 4, size // 4, 8)]
        following = 0 if page == pages - 1 else start + 2 + 8 * 12 + 4
        ifds += struct.pack("<H", 8) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        ifds += struct.pack("<I", following)
    return head + end + ifds


def equal_hashes(count):
    return [n * (2**61 - 1) for n in range(1, count + 1)]


def nested(depth, open_, close):
    return open_ * depth + close * depth


def cs(header, rows=b""):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + rows


def mapped(extended_bytes):
    """Return the header of a map that states an extended one."""
    header = bytearray(mrc(12, 12, 12, mode=2))
    struct.pack_into("<i", header, 92, extended_bytes)
    return bytes(header) + bytes(4 * 12**3)


def xml_laughs(lines=9, width=10):
    """Return EPU's XML whose one number is made of very many."""
    names = "abcdefghijklmnopqrstuvwxyz"[: lines + 1]
    entities = '<!ENTITY a "1">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * width}">' for before, name in pairwise(names)
    )
    return epu_xml(f"&{names[-1]};", head=f"<!DOCTYPE x [{entities}]>").encode()
