"""The settings that a digest of picks stands for, in a file whose content is verified."""

import hashlib
import json
from typing import Any

import google_crc32c

THRESHOLD = "threshold"
"""Where the settings keep the model's threshold."""
CALIBRATED = "calibrated"
"""Where they keep that scores are calibrated; they lack it where scores are not."""
PROBABILITY = "probability"
"""Where they keep that scores are from 0 to 1; they lack it where they are not."""
_NOT_IN_DIGEST = {THRESHOLD, CALIBRATED, PROBABILITY}
"""Keys that are not part of the digest, as they decide no pick."""
_CHECKSUM = "checksum"
"""Of all settings, also of what is not part of the digest."""


def settings_digest(settings: dict[str, Any]) -> str:
    """Return the name of all picks made with ``settings`` (plain JSON)."""
    return hashlib.sha256(_canonical(settings)).hexdigest()[:16]


def sealed(settings: dict[str, Any]) -> bytes:
    """Return the file that describes picks made with ``settings``."""
    content = settings | {_CHECKSUM: _checksum(settings)}
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode()


def unsealed(data: bytes, digest: str) -> dict[str, Any]:
    """Return the settings in such a file.

    Raises
    ------
    ValueError
        If it is damaged, or holds other settings than those of ``digest``.
    """
    settings = json.loads(data)
    if not isinstance(settings, dict):
        raise ValueError("no settings")
    checksum = settings.pop(_CHECKSUM, None)
    if checksum is not None and checksum != _checksum(settings):
        raise ValueError("its content is not what was written")
    found = settings_digest({name: value for name, value in settings.items() if name not in _NOT_IN_DIGEST})
    if found != digest:
        raise ValueError(f"its settings have the digest {found}")
    return settings


def _checksum(settings: dict[str, Any]) -> str:
    return f"crc32c:{google_crc32c.value(_canonical(settings)):08x}"


def _canonical(settings: dict[str, Any]) -> bytes:
    return json.dumps(settings, sort_keys=True, allow_nan=False).encode()
