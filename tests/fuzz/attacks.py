"""Small files made to cost much."""

import bz2
import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib
from itertools import pairwise

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from readers import BENCH, COORDINATES

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
    data = bytearray(BLANK)
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


LONG = b"n" * 10**5
HUGE = b"1" + b"0" * 400
BLANK = tiff(1, {})
MANY_KEYS = b"".join(b"\x8a\x0a" + n.to_bytes(10, "little") + b"K\x01" for n in equal_hashes(30_000))
ATTACKS = {
    "scans without end": ("micrograph", "m.jpg", jpeg_of_scans(2048, 3000)),
    "a strip that unpacks": ("micrograph", "m.tif", strip_bomb(8, 2**26)),
    "a zstd strip that unpacks": ("micrograph", "m.tif", strip_bomb(50000, 2**26)),
    "a zstd frame that unpacks": ("movie", "m.tif", strip_bomb(50000, 2**26)),
    "an lzw strip that unpacks": ("micrograph", "m.tif", strip_bomb(5, 2**23)),
    "tags that all pages share": ("movie", "m.tif", shared_tags(3000, 2**18)),
    "numbers of one hash": ("Topaz weights", "m.sav", pickled(b"\x80\x02}(" + MANY_KEYS + b"u.")),
    "names of one hash": (
        "settings",
        "settings.yaml",
        "".join(f"{n}: 1\n" for n in equal_hashes(60_000)).encode(),
    ),
    "a deep description of columns": ("exposures", "l.cs", cs("(" * 60_000)),
    "a deep description of lists": ("exposures", "l.cs", cs("{'descr': " + "[" * 60_000)),
    "a circle of pages": ("micrograph", "m.tif", tiff(101, {100: 0})),
    "a circle of frames": ("movie", "m.tif", tiff(101, {100: 0})),
    "a page that follows itself": ("movie", "m.tif", tiff(3, {1: 1})),
    "a gain of circles": ("gain", "m.gain", tiff(101, {100: 0})),
    "defects of circles": ("defects", "d.tif", tiff(101, {100: 0})),
    "strips without end": ("micrograph", "m.tif", retagged(BLANK, {273: (4, 2**28, 8), 279: (4, 2**28, 8)})),
    "a tag without end": ("micrograph", "m.tif", retagged(BLANK, {258: (3, 2**31, 8)})),
    "sides without end": ("micrograph", "m.tif", retagged(BLANK, {256: (4, 1, 2**31), 257: (4, 1, 2**31)})),
    "bz2 of zeros": ("micrograph", "m.mrc.bz2", bomb(bz2.compress, mrc(10, 10, 1), 2**24)),
    "gz of zeros": ("micrograph", "m.mrc.gz", bomb(gzip.compress, mrc(10, 10, 1), 2**24)),
    "bz2 of a large image": ("micrograph", "m.mrc.bz2", bomb(bz2.compress, mrc(2**14, 2**14, 1), 2**24)),
    "gz of a large image": ("micrograph", "m.mrc.gz", bomb(gzip.compress, mrc(2**13, 2**13, 1), 2**26)),
    "bz2 of many frames": ("movie", "m.mrcs.bz2", bomb(bz2.compress, mrc(2**12, 2**12, 2**16), 2**24)),
    "gz of many frames": ("movie", "m.mrcs.gz", bomb(gzip.compress, mrc(2**12, 2**12, 2**16), 2**24)),
    "png of zeros": ("micrograph", "m.png", png(2**14, 2**13)),
    "laughs": ("settings", "settings.yaml", laughs()),
    "laughs of two": ("simulation", "settings.yaml", laughs(25, 2)),
    "laughs in a group": ("exposures of a group", "l.csg", laughs()),
    "a group of what never ends": (
        "exposures of a group",
        "l.csg",
        b"results: {micrograph_blob: {metafile: /dev/zero}, ctf: {metafile: /dev/stdin}}",
    ),
    "laughs in a definition": ("definitions", "crd.yaml", laughs()),
    "a deep YAML": ("training", "settings.yaml", nested(10**5, b"[", b"]")),
    "a long line of brackets": ("suite", "settings.yaml", b"a: " + b"[" * 10**6),
    "a date that is none": ("settings", "settings.yaml", b"inputs: [2026-13-41]\n"),
    "a number of very many digits": ("settings", "settings.yaml", b"diameter_A: 0x" + b"f" * 10**6),
    "keys in keys": ("Topaz weights", "m.sav", pickled(nested_tuple_key(40))),
    "keys in keys of a checkpoint": ("checkpoint", "checkpoint.pt", pickled(nested_tuple_key(40))),
    "deep lists in a pickle": (
        "Topaz weights",
        "m.sav",
        pickled(b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b"."),
    ),
    "deep lists in a checkpoint": (
        "checkpoint",
        "checkpoint.pt",
        pickled(b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b"."),
    ),
    "rows of no width": (
        "exposures",
        "l.cs",
        cs("{'descr': [('micrograph_blob/path', '|S0')], 'fortran_order': False, 'shape': (1000000000000,)}"),
    ),
    "columns of no width": (
        "exposures",
        "l.cs",
        cs(
            "{'descr': [('micrograph_blob/path', '|S4', (0,))], 'fortran_order': False, 'shape': (10000000,)}"
        ),
    ),
    "laughs beside an image": ("sidecar", "m.xml", xml_laughs()),
    "a file from elsewhere beside an image": (
        "sidecar",
        "m.xml",
        epu_xml("&a;", head='<!DOCTYPE x [<!ENTITY a SYSTEM "file:///dev/zero">]>').encode(),
    ),
    "a deep XML": ("sidecar", "m.xml", b"<MicroscopeImage>" + b"<a>" * 10**6),
    "elements of long names": (
        "sidecar",
        "m.xml",
        b"<MicroscopeImage><" + LONG * 10 + b">" + b"<a/>" * 7 * 10**5,
    ),
    "a long text in pieces": ("sidecar", "m.xml", b"<MicroscopeImage>" + b"1&lt;" * 8 * 10**5),
    "sections without end": ("sidecar", "m.mdoc", b"[ZValue=0]\n" * 3 * 10**5),
    "doses without end": ("sidecar", "m.mdoc", b"[FrameSet = 0]\nFrameDosesAndNumber = " + b"1 1 " * 10**6),
    "an mdoc that is too long": ("sidecar", "m.mdoc", bytes(10**7)),
    "objects": (
        "exposures",
        "l.cs",
        cs(
            "{'descr': [('micrograph_blob/path', '|O')], 'fortran_order': False, 'shape': (1,)}",
            pickle.dumps([1]),
        ),
    ),
    "nested columns": (
        "exposures",
        "l.cs",
        cs(
            "{'descr': "
            + "[('a', " * 1000
            + "'|S4'"
            + ")]" * 1000
            + ", 'fortran_order': False, 'shape': (1,)}"
        ),
    ),
    "a tag that never ends": ("index page", "index.html", b"<a " * 6000),
    "a declaration that never ends": ("index page", "index.html", b"<!" * 9000),
    "attributes that never end": ("index page", "index.html", b"<a " + b"x=" * 9000),
    "comments that never end": ("index page", "index.html", b"<!--" * 4500),
    "end tags that never end": ("index page", "index.html", b"</a " * 4500),
    "references that never end": ("index page", "index.html", b"&" * 18000),
    "a deep entry": ("EMPIAR entry", "entry.json", b"[" * 10**6),
    "a deep bench": ("bench", "bench.json", b"[" * 10**6),
    "a deep summary": ("summary", "summary.json", b'{"failures":' + b"[" * 10**6),
    "a deep diameter": ("diameter", "diameter.json", b"[" * 10**6),
    "a deep card": ("model", "m.json", b"[" * 10**5),
    "an extended header without end": ("molecule", "d.map", mapped(2**30)),
    "a class of a long name": ("Topaz weights", "m.sav", pickled(b"\x80\x02ctorch._utils\n" + LONG + b"\n.")),
    "a pickle cut short": ("checkpoint", "checkpoint.pt", pickled(b"\x80\x02}X\x01")),
    "defects of many digits": ("defects", "d.txt", b"1 2 3 " + b"9" * 5000),
    "a bench beyond numbers": (
        "bench",
        "bench.json",
        json.dumps(BENCH).replace("1.5", HUGE.decode()).encode(),
    ),
    "a summary of a diameter beyond numbers": (
        "summary",
        "summary.json",
        b'{"failures": [], "thresholds": {}, "diameter": {"diameter_A": %b}}' % HUGE,
    ),
    "a summary without data sets": ("summary", "summary.json", b'{"failures": [], "thresholds": 1.5}'),
    "a compression of many values": (
        "movie",
        "m.tif",
        retagged(tiff(1, {}, compression="zlib", shape=(64, 64)), {259: (3, 200, 8)}),
    ),
    "a thousand wrong groups": ("suite", "settings.yaml", b"data:\n" + b"- wrong\n" * 1000),
    "a name of many letters": ("settings", "settings.yaml", LONG + b": 1\n"),
    "a value of many letters": ("settings", "settings.yaml", b"diameter_A: " + LONG + b"\n"),
    "a list of one long name": ("text list", "l.txt", LONG),
    "blocks of long names": ("STAR list", "l.star", b"data_" + LONG + b"\n\n_rlnVoltage 300\n"),
    "a deep store": ("store", "zarr.json", b'{"attributes":' * 10**5),
    "a STAR file in another alphabet": (
        "coordinates",
        "a.star",
        (COORDINATES + "é 1\n" * 10**5).encode("latin-1"),
    ),
    "a STAR file that names its alphabet": (
        "coordinates",
        "a.star",
        b"# coding: utf-7\n" + COORDINATES.encode(),
    ),
    "blocks without end": ("STAR list", "l.star", b"data_a\n\nloop_\n_rlnVoltage #1\n300\n" * 20_000),
    "labels without end": ("coordinates", "a.star", b"data_\nloop_\n" + b"_a\n" * 10**5 + b"1 " * 10**5),
    "a word without end": ("coordinates", "a.star", b"data_\n\n_rlnVoltage " + b"n" * 10**6),
    "sides of many values": ("gain", "m.gain", retagged(tiff(1, {}, shape=(64, 64)), {256: (3, 500, 8)})),
}
