"""Every setting, from its pydantic field: a page for each kind of settings file or command."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

import cryopick_ray
from cryopick_ray.settings.base import Settings
from generate.command_pages import options_of_settings
from generate.docstrings import attributes, first_line
from generate.kinds import in_words
from generate.markdown import anchor, code, from_docstring, page, table

PAGES: Mapping[str, tuple[str, ...]] = {
    "run": ("RunSettings",),
    "engine": ("EngineSettings", "LearningSettings", "TeachingSettings"),
    "ingest": ("IngestSettings",),
    "pick": ("PickSettings",),
    "table": ("CutSettings",),
    "extract": ("ExtractSettings",),
    "ctf": ("CtfSettings",),
    "classify": ("ClassSettings",),
    "reconstruct": ("ReconstructSettings",),
    "simulate": ("SimulationSettings",),
    "train": ("TrainSettings", "DataSettings", "LabelChoice", "SimulatedData"),
    "study": ("StudySettings",),
    "self-train": ("SelfTrainSettings",),
    "teach": ("TeachSettings",),
    "iterate": ("IterateSettings",),
    "suite": ("SuiteSettings", "ModelGroup", "MicrographSet", "LabelledSet", "SweptData", "Bins"),
    "bench": ("BenchSettings",),
    "cluster": ("AwsSettings", "GcpSettings", "KuberaySettings", "SlurmSettings"),
}
"""Pages and the classes on them, by name; what a class holds stands with it."""
NOT_SET_BY_PEOPLE = {"FrameSettings", "TracingSettings", "IterationRecord"}
"""Classes that only the program fills."""
ANCHORS = {name: f"settings-{name.lower()}" for names in PAGES.values() for name in names}


@dataclass(frozen=True)
class Leaf:
    """A setting: its dotted name, the class that declares it, its field there."""

    name: str
    owner: type[Settings]
    key: str

    @property
    def field(self) -> FieldInfo:
        """Its pydantic field."""
        return self.owner.model_fields[self.key]

    @property
    def kind(self) -> str:
        """What it may be, in words."""
        schema = _schema(self.owner)
        return in_words(schema["properties"][self.key], schema.get("$defs", {}))

    @property
    def default(self) -> str:
        """What it is if nobody says; empty if somebody must."""
        if self.field.is_required():
            return ""
        value = self.field.get_default(call_default_factory=True)
        return value if isinstance(value, str) and value else json.dumps(value, default=str)  # as YAML has it

    @property
    def meaning(self) -> str:
        """Its help, else what the docstring of its class says."""
        return self.field.description or attributes(self.owner).get(self.key, "")


@cache
def settings_classes() -> dict[str, type[Settings]]:
    """Return all classes of settings of the package by name."""
    root = Path(cryopick_ray.__file__).parent
    for path in sorted(root.rglob("*.py")):
        bases = (ast.unparse(base) for one in _classes(path) for base in one.bases)
        if any(base.endswith("Settings") for base in bases):
            import_module(".".join(["cryopick_ray", *path.relative_to(root).with_suffix("").parts]))
    return {one.__name__: one for one in _below(Settings)}


def inside(kind: type[Settings]) -> Iterator[Leaf | tuple[str, type[Settings]]]:
    """Yield a class's settings; of one that has a section of its own, its dotted name and the class."""
    for key, field in kind.model_fields.items():
        held = field.annotation
        if not (isinstance(held, type) and issubclass(held, Settings)):
            yield Leaf(key, kind, key)
        elif held.__name__ in ANCHORS:
            yield key, held
        else:
            for one in inside(held):
                if isinstance(one, Leaf):
                    yield Leaf(f"{key}.{one.name}", one.owner, one.key)
                else:
                    yield f"{key}.{one[0]}", one[1]


def settings_pages() -> dict[str, str]:
    """Return the pages by file name, and the one that lists them."""
    known = settings_classes()
    pages = {
        f"settings/{name}.md": page(f"Settings: {name}", *(_section(known[one]) for one in classes))
        for name, classes in PAGES.items()
    }
    listed = table(
        ["page", "settings", ""],
        (
            [f"[{name}](settings/{name}.md)", code(one), from_docstring(first_line(known[one].__doc__))]
            for name, classes in PAGES.items()
            for one in classes
        ),
    )
    entries = "\n".join(["```{toctree}", ":hidden:", *(f"settings/{name}" for name in PAGES), "```"])
    text = (
        "Every setting that a person may give, from the code. Files of settings are YAML with these names, "
        "a dot for each level; unknown names are refused. Lengths in angstroms end in `_A`, pixels in `_px`."
    )
    return {"settings.md": page("Settings", text, listed, entries)} | pages


def _section(kind: type[Settings]) -> str:
    options = options_of_settings().get(kind.__name__, {})
    rows = [_row(one, options) for one in inside(kind)]
    parts = [anchor(ANCHORS[kind.__name__]), f"## {kind.__name__}"]
    parts += ["", from_docstring(first_line(kind.__doc__)), ""]
    return "\n".join([*parts, table(["setting", "meaning", "may be", "default"], rows)])


def _row(one: Leaf | tuple[str, type[Settings]], options: Mapping[str, str]) -> list[str]:
    if isinstance(one, tuple):
        name, held = one
        return [code(name), from_docstring(first_line(held.__doc__)), _link(held.__name__), ""]
    option = f" {code(options[one.name])}" if one.name in options else ""
    kind = one.kind
    for name in _held(one.field.annotation):
        kind = kind.replace(code(name), _link(name))
    return [code(one.name), from_docstring(one.meaning) + option, kind, code(one.default) or "needed"]


def _link(name: str) -> str:
    return f"[{name}](#{ANCHORS[name]})"


def _held(kind: Any) -> Iterator[str]:
    """Yield the classes with a section within the type of a list or a choice."""
    if isinstance(kind, type) and kind.__name__ in ANCHORS:
        yield kind.__name__
    for one in get_args(kind):
        yield from _held(one)


@cache
def _schema(kind: type[Settings]) -> dict[str, Any]:
    return kind.model_json_schema()


def _classes(path: Path) -> list[ast.ClassDef]:
    return [one for one in ast.parse(path.read_text()).body if isinstance(one, ast.ClassDef)]


def _below(kind: type[Settings]) -> Iterator[type[Settings]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
