"""Valid files -> broken and hostile ones: bytes, words, and what is inside of packed files."""

import bz2
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from random import Random

MOST_BYTES = 2**20
NUMBERS = (0, 1, -1, 2**15, 2**16, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**63 - 1, -(2**63))
WORDS = (
    *("nan", "inf", "-inf", "1e999", "1e-999", "-1", "0", "1_000", "0x7f", "9" * 30, "9" * 5000, "1:2:3"),
    *(
        "2026-01-01",
        "2026-13-41",
        "~",
        "null",
        "true",
        "{}",
        "[]",
        "''",
        "&a [*a]",
        "*a",
        "!!python/name:os.system",
    ),
    *(
        "=cmd()",
        "\0",
        "\x1b[2J",
        "\u2028",
        "..",
        "/etc/passwd",
        "a" * 3000,
        "\ufeff",
        "loop_",
        "data_",
        "<<: *a",
        ";",
    ),
)
TREES = (
    None,
    True,
    0,
    -1,
    1e308,
    10**400,
    "",
    "nan",
    "x" * 3000,
    [],
    {},
    [[]],
    {"": 0},
    [0] * 1000,
    {"a": {"a": {}}},
)
NESTED = 20_000

Mutation = Callable[[bytes, Random], bytes]


def mutated(name: str, data: bytes, other: bytes, rng: Random) -> tuple[bytes, bool]:
    """Return a file changed in one to three places, and whether its check sums were made anew.

    Parameters
    ----------
    name
        The file's name: its ending tells what may be inside.
    other
        Another file of the kind, to take pieces from.
    """
    inside = _INSIDE.get(name.rpartition(".")[2])
    if inside and rng.random() < 0.5:
        try:
            return inside(data, rng), True
        except Exception:  # noqa: BLE001 - a mutation of a mutation need not be of the kind any more
            pass
    kinds = [*BYTES, *LINES] if _is_text(data) else BYTES
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.choice(kinds)
        data = _splice(data, other, rng) if kind is _splice else kind(data, rng)
    return data[:MOST_BYTES], False


def _is_text(data: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data[:500])


def _place(data: bytes, rng: Random) -> int:
    """Return a place, half of the time among the first hundreds: headers are there."""
    return rng.randrange(min(len(data), 400) if rng.random() < 0.5 else len(data)) if data else 0


def _flip(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[_place(changed, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(data: bytes, rng: Random) -> bytes:
    return data[: _place(data, rng)]


def _drop(data: bytes, rng: Random) -> bytes:
    start = _place(data, rng)
    return data[:start] + data[start + rng.choice((1, 4, 64, 1024)) :]


def _repeat(data: bytes, rng: Random) -> bytes:
    start, length = _place(data, rng), rng.choice((1, 4, 12, 64, 1024))
    block = data[start : start + length]
    return data[:start] + block * rng.choice((2, 3, 50, 3000)) + data[start + length :]


def _fill(data: bytes, rng: Random) -> bytes:
    start, length = _place(data, rng), rng.choice((1, 4, 16, 256))
    return data[:start] + rng.choice((b"\0", b"\xff", b"0", b"A")) * length + data[start + length :]


def _number(data: bytes, rng: Random) -> bytes:
    """Write a number as a length or an offset: an extreme, or a place in the file."""
    kind = rng.choice("hiq")
    size = struct.calcsize(kind)
    value = rng.choice((*NUMBERS, len(data), _place(data, rng), _place(data, rng), 8, 16))
    wrapped = value & (2 ** (8 * size) - 1)
    start = _place(data, rng) // rng.choice((1, 2, 4)) * 2
    written = wrapped.to_bytes(size, rng.choice(("little", "big")))
    return data[:start] + written + data[start + size :]


def _splice(data: bytes, other: bytes, rng: Random) -> bytes:
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _line(data: bytes, rng: Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = rng.randrange(len(lines))
    what = rng.randrange(4)
    if what == 0:
        del lines[at]
    elif what == 1:
        lines[at] *= rng.choice((2, 1000))
    elif what == 2:
        lines[at] = lines[rng.randrange(len(lines))]
    else:
        lines.insert(at, lines[rng.randrange(len(lines))])
    return b"".join(lines)


def _word(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    words = lines[at].split(b" ")
    words[rng.randrange(len(words))] = rng.choice(WORDS).encode()
    lines[at] = b" ".join(words)
    return b"\n".join(lines)


def _nest(data: bytes, rng: Random) -> bytes:
    at = _place(data, rng)
    opening = rng.choice((b"[", b"{", b'{"a":', b"- ", b"(", b"<a ", b"&a [*a,", b"? "))
    return data[:at] + opening * rng.choice((2, 200, NESTED)) + data[at:]


def _alias(data: bytes, rng: Random) -> bytes:
    lines = [b"l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    for depth in range(1, rng.choice((2, 9))):
        lines.append(b"l%d: &l%d [%s]" % (depth, depth, b", ".join([b"*l%d" % (depth - 1)] * 10)))
    return data + b"\n" + b"\n".join(lines) + b"\n"


BYTES: tuple[Mutation, ...] = (_flip, _flip, _cut, _drop, _repeat, _fill, _number, _number, _number, _splice)
LINES: tuple[Mutation, ...] = (_line, _word, _word, _word, _nest, _alias)


def _packed(unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]) -> Mutation:
    def inside(data: bytes, rng: Random) -> bytes:
        whole = unpack(data)
        if rng.random() < 0.1:
            return pack(whole + bytes(2**26))
        return pack(rng.choice(BYTES[:-1])(whole, rng))

    return inside


def _zip(data: bytes, rng: Random) -> bytes:
    """Change one member, and put the archive together again with right check sums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(entry, archive.read(entry)) for entry in archive.infolist()]
    at = next((i for i, (entry, _) in enumerate(members) if entry.filename.endswith("data.pkl")), 0)
    if rng.random() < 0.3:
        at = rng.randrange(len(members))
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for index, (entry, content) in enumerate(members):
            archive.writestr(entry.filename, rng.choice(BYTES[:-1])(content, rng) if index == at else content)
    return result.getvalue()


def _tree(data: bytes, rng: Random) -> bytes:
    """Replace a value somewhere in JSON by another."""
    root = [json.loads(data)]
    node, key = root, 0
    while isinstance(node[key], dict | list) and node[key] and rng.random() < 0.85:
        node = node[key]
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
    if isinstance(node, dict) and rng.random() < 0.2:
        node[rng.choice(("", "x" * 3000, "\0", "name"))] = node[key]
    node[key] = rng.choice(TREES)
    return json.dumps(root[0]).encode()


def _header(data: bytes, rng: Random) -> bytes:
    """Change the JSON header of safetensors, its length made right."""
    length = int.from_bytes(data[:8], "little")
    header = rng.choice((_tree, _word, _number, _flip))(data[8 : 8 + length], rng)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _columns(data: bytes, rng: Random) -> bytes:
    """Change the description of a NumPy array's columns, its length made right."""
    length = int.from_bytes(data[8:10], "little")
    header = data[10 : 10 + length]
    old, new = rng.choice(
        (
            (b"<f4", rng.choice((b"<f0", b"|S0", b"|V0", b"<U0", b"|O", b"<M8", b"|V9", b"<f8", b"<i8"))),
            (b"|S", b"<U"),
            (b"'shape': (", b"'shape': (%d, " % abs(rng.choice(NUMBERS))),
            (b"'shape': (", b"'shape': (%d%d" % (rng.choice((1, 10**9)), 0)),
            (b"False", b"True"),
            (b"<f4'", b"<f4', (%d,)" % rng.choice((0, 1, 10**6))),
            (b"[(", b"[(" * rng.choice((2, 90))),
        )
    )
    header = header.replace(old, new, rng.choice((1, 1, -1)))
    return data[:8] + len(header).to_bytes(2, "little") + header + data[10 + length :]


_INSIDE: dict[str, Mutation] = {
    "gz": _packed(gzip.decompress, gzip.compress),
    "bz2": _packed(bz2.decompress, bz2.compress),
    "pt": _zip,
    "sav": _zip,
    "json": _tree,
    "safetensors": _header,
    "cs": _columns,
}
