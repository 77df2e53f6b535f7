"""Checks of PyTorch files before PyTorch reads them: sizes when unpacked, cost of keys."""

import io
import pickletools
import zipfile
from typing import Any, BinaryIO

from cryopick_ray.errors import brief

ZIP_MAGIC = b"PK\x03\x04"
FOLDER = 0x10
"""Bit of an archive entry's attributes: MS-DOS's mark of a folder."""
MAX_STEPS = 2**18
"""Of a pickle: a tensor takes about thirty."""
MAX_NAME = 200
"""Characters of a class's name: PyTorch's refusal of a longer one takes time that grows with its square."""
MAX_KEYS = 2**14
"""Of all dictionaries: whole numbers may be chosen so that finding one looks at all the others."""
MAX_IN_TUPLE = 2**10
"""Values in a tuple, those of the tuples in it counted each time: a key is hashed value by value, and a tuple
of a tuple twice, forty times over, is a trillion of them in 200 bytes."""
PICKLES_OF_OLD_FILES = 5
"""Magic number, version, the machine, the data, and the names of what follows them."""


def check_saved(file: BinaryIO, size: int) -> None:
    """Refuse a file that PyTorch would read for ever, or into more memory than the file's size.

    Parameters
    ----------
    file
        Open at its beginning.
    size
        Its length in bytes.

    Raises
    ------
    Exception
        The fault; parsers of broken archives and pickles raise exceptions of many kinds.
    """
    is_archive = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    file.seek(0)
    if is_archive:
        check_archive(file, size)
    else:
        _check_pickles(file, PICKLES_OF_OLD_FILES)


def check_archive(file: BinaryIO, size: int) -> None:
    """Check an archive as :func:`check_saved`; the older format, without check sums, is refused."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if (unpacked := sum(entry.file_size for entry in entries)) > size:
            raise ValueError(f"its parts unpack to {unpacked} bytes, larger than itself")
        if len({entry.filename for entry in entries}) < len(entries):
            raise ValueError("two of its parts have one name")
        if folders := [entry.filename for entry in entries if entry.is_dir() or entry.external_attr & FOLDER]:
            # PyTorch makes a tensor of it, and leaves in it what the memory held.
            raise ValueError(f"its part {brief(folders[0])} is a folder")
        if wrong := archive.testzip():
            raise ValueError(f"wrong check sum of {wrong}")
        for entry in entries:
            if entry.filename.endswith(".pkl"):
                _check_pickles(io.BytesIO(archive.read(entry)), 1)


def _check_pickles(file: BinaryIO, count: int) -> None:
    """Check ``count`` pickles that follow each other, or as many as the file has."""
    for _ in range(count):
        start = file.tell()
        if not file.read(1):
            return
        file.seek(start)
        _check_pickle(file)


def _check_pickle(file: BinaryIO) -> None:
    """Run through a pickle's opcodes with the sizes of tuples on the stack in place of values."""
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[Any, int] = {}
    keys = 0
    for step, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if step > MAX_STEPS:
            raise ValueError(f"a pickle of more than {MAX_STEPS} steps")
        name = opcode.name
        if name == "GLOBAL" and len(str(argument)) > MAX_NAME:
            raise ValueError(f"a class whose name has {len(str(argument))} characters")
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        else:
            values = _taken(opcode, stack, marks)
            keys += len(values) // 2 if name in ("SETITEM", "SETITEMS", "DICT") else 0
            size = 1 + sum(values) if "TUPLE" in name else 1
            if keys > MAX_KEYS or size > MAX_IN_TUPLE:
                raise ValueError(f"more than {MAX_KEYS} keys, or {MAX_IN_TUPLE} values in a tuple")
            stack += [size] * len(opcode.stack_after)


def _taken(opcode: pickletools.OpcodeInfo, stack: list[int], marks: list[int]) -> list[int]:
    """Remove an opcode's operands from the stack and return them."""
    if pickletools.markobject in opcode.stack_before:
        below = opcode.stack_before.index(pickletools.markobject)
        start = marks.pop() - below
    else:
        start = len(stack) - len(opcode.stack_before)
    if start < 0:
        raise ValueError("a pickle that takes what is not there")
    taken = stack[start:]
    del stack[start:]
    return taken
