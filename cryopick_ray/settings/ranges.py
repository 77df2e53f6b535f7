"""Ranges, as people write them."""

import re
from typing import Any


def worker_range(value: Any) -> tuple[int, int]:
    """Return the least and most workers that ``4``, ``"4"``, ``"2,8"`` or ``[2, 8]`` stands for.

    Raises
    ------
    ValueError
        If it stands for none.
    """
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    ends = re.fullmatch(r"([0-9]{1,6})(?:,([0-9]{1,6}))?", text)
    least, most = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, 0)
    if not 1 <= least <= most:
        raise ValueError("expected a number or LO,HI, such as 4 or 2,8")
    return least, most
