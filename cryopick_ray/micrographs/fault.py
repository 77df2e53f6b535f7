"""Names of files that cannot be those of micrographs: nothing could be written under them."""

from cryopick_ray.errors import brief
from cryopick_ray.transfer.names import MAX_NAME_BYTES, UNWRITABLE


def fault_of(name: str) -> str:
    """Return why a path cannot be written into tables, or name what is made of it; empty if it can."""
    if UNWRITABLE.search(name):
        return f"the name {brief(name)} has control characters or is no UTF-8; rename the file"
    if len(name.encode()) <= MAX_NAME_BYTES:
        return ""
    longest = max(name.split("/"), key=lambda part: len(part.encode()))
    if (length := len(longest.encode())) > MAX_NAME_BYTES:
        return (
            f"the name {brief(longest)} has {length} bytes, and names of coordinates would be longer than "
            f"file systems take; expected at most {MAX_NAME_BYTES}: rename the file"
        )
    return ""


def escaped(name: str) -> str:
    """Return a name that can be written: what cannot be is shown by its code."""
    return UNWRITABLE.sub(lambda found: f"\\x{_code(found[0]):02x}", name)


def _code(character: str) -> int:
    """Return the code of a character; of half a character the byte that Python read so."""
    code = ord(character)
    return code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
