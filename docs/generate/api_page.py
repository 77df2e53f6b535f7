"""What a Python program imports: everything that the package exports, from its docstrings."""

import inspect
from typing import Any

import cryopick_ray
from cryopick_ray.settings.base import Settings
from generate.docstrings import first_line
from generate.markdown import from_docstring, page
from generate.settings_pages import ANCHORS


def api_pages() -> dict[str, str]:
    """Return the page of the Python interface, by its file name."""
    exported = {name: getattr(cryopick_ray, name) for name in cryopick_ray.__all__}
    text = "`import cryopick_ray` loads neither torch nor Ray; they are loaded when something needs them."
    return {"api.md": page("Python", text, *(_section(name, one) for name, one in exported.items()))}


def _section(name: str, one: Any) -> str:
    if isinstance(one, type) and issubclass(one, Settings):
        link = f"[all settings](#{ANCHORS[one.__name__]})"
        return f"## {name}\n\n`cryopick_ray.{name}`: {from_docstring(first_line(one.__doc__))} See {link}."
    directive = "autoclass" if inspect.isclass(one) else "autofunction"
    members = "   :members:\n" if inspect.isclass(one) else ""
    return f"## {name}\n\n```{{eval-rst}}\n.. {directive}:: cryopick_ray.{name}\n{members}```"
