"""The weights that an installed Topaz (package ``topaz-em``) ships, found without importing it."""

from importlib.util import find_spec
from pathlib import Path

PREFIX = "topaz:"


def installed_weights() -> dict[str, Path]:
    """Return Topaz's own detectors by our names for them, ``topaz:resnet8_u64``; none without Topaz."""
    spec = find_spec("topaz")
    folders = spec.submodule_search_locations if spec else None
    files = (path for folder in folders or () for path in Path(folder).glob("pretrained/detector/*.sav"))
    return {f"{PREFIX}{path.stem}": path for path in sorted(files)}
