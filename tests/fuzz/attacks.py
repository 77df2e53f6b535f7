"""Small files made to cost much."""

import bz2
import gzip
import json
import pickle
from functools import partial

from attack_files import (
    bomb,
    cs,
    equal_hashes,
    jpeg_of_scans,
    laughs,
    mapped,
    mrc,
    nested,
    nested_tuple_key,
    pickled,
    png,
    retagged,
    shared_tags,
    strip_bomb,
    tiff,
    xml_laughs,
)
from coordinate_readers import COORDINATES
from run_readers import BENCH

from tests.micrographs.epu_files import epu_xml

LONG = b"n" * 10**5
HUGE = b"1" + b"0" * 400
BLANK = tiff(1, {})
MANY_KEYS = b"".join(b"\x8a\x0a" + n.to_bytes(10, "little") + b"K\x01" for n in equal_hashes(30_000))
ATTACKS = {
    # What takes long to make is made by the test that wants it.
    "scans without end": ("micrograph", "m.jpg", partial(jpeg_of_scans, 2048, 3000)),
    "a strip that unpacks": ("micrograph", "m.tif", partial(strip_bomb, 8, 2**26)),
    "a zstd strip that unpacks": ("micrograph", "m.tif", partial(strip_bomb, 50000, 2**26)),
    "a zstd frame that unpacks": ("movie", "m.tif", partial(strip_bomb, 50000, 2**26)),
    "an lzw strip that unpacks": ("micrograph", "m.tif", partial(strip_bomb, 5, 2**23)),
    "tags that all pages share": ("movie", "m.tif", partial(shared_tags, 3000, 2**18)),
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
    "bz2 of zeros": ("micrograph", "m.mrc.bz2", partial(bomb, bz2.compress, mrc(10, 10, 1), 2**24)),
    "gz of zeros": ("micrograph", "m.mrc.gz", partial(bomb, gzip.compress, mrc(10, 10, 1), 2**24)),
    "bz2 of a large image": (
        "micrograph",
        "m.mrc.bz2",
        partial(bomb, bz2.compress, mrc(2**14, 2**14, 1), 2**24),
    ),
    "gz of a large image": (
        "micrograph",
        "m.mrc.gz",
        partial(bomb, gzip.compress, mrc(2**13, 2**13, 1), 2**26),
    ),
    "bz2 of many frames": (
        "movie",
        "m.mrcs.bz2",
        partial(bomb, bz2.compress, mrc(2**12, 2**12, 2**16), 2**24),
    ),
    "gz of many frames": (
        "movie",
        "m.mrcs.gz",
        partial(bomb, gzip.compress, mrc(2**12, 2**12, 2**16), 2**24),
    ),
    "png of zeros": ("micrograph", "m.png", partial(png, 2**14, 2**13)),
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
