import importlib.util
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def topaz_weights() -> Path:
    """Folder of Topaz's shipped weights (CRYOPICK_TOPAZ_WEIGHTS, or topaz-em where it is installed)."""
    spec = importlib.util.find_spec("topaz")
    shipped = Path(spec.origin).parent / "pretrained" / "detector" if spec and spec.origin else Path()
    path = Path(os.environ.get("CRYOPICK_TOPAZ_WEIGHTS", shipped))
    if not (path / "resnet8_u64.sav").is_file():
        pytest.skip(
            "no Topaz weights: set CRYOPICK_TOPAZ_WEIGHTS or install topaz-em without its dependencies"
        )
    return path
