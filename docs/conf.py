"""Sphinx builds the documentation: ``make docs``."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import cryopick_ray  # noqa: E402

project = "cryopick-ray"
author = "the cryopick-ray authors"
release = cryopick_ray.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "generate"]
html_theme = "furo"
html_title = f"cryopick-ray {release}"
myst_heading_anchors = 4
napoleon_google_docstring = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"


def setup(app: Any) -> None:
    """Write the reference before pages are read, and let links out of docs/ lead to pages."""
    from generate.beside import moved
    from generate.reference import reference, write

    def mend(app: Any, name: str, source: list[str]) -> None:
        source[0] = moved(source[0], HERE / f"{name}.md")

    app.connect("builder-inited", lambda app: write(reference(), HERE / "reference"))
    app.connect("source-read", mend)
