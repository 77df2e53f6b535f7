"""Every setting that holds no others, by its dotted name; what stands and what falls with it."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cryopick_ray.plain_data import parse_yaml
from cryopick_ray.settings.base import Shown
from cryopick_ray.settings.cut_settings import CUTS
from cryopick_ray.settings.filament_settings import FilamentSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.settings.selection_settings import SelectionSettings

FREE = {
    "pattern": "micrographs may join",
    "exclude": "micrographs may join",
    "limit": "micrographs may join",
    **dict.fromkeys(CUTS, "all candidates are kept, and only the table is cut anew"),
    "masks": "candidates in them are kept, and only the table is made anew",
    "keep_junk": "candidates on junk are kept, and only the table is made anew",
    "pictures": "they are made for people's eyes, and picks are the same without them",
    "any_image": "all candidates are kept, and only the table says which are picked",
    **dict.fromkeys(
        (f"selection.{name}" for name in SelectionSettings.model_fields),
        "all candidates are kept, and only the table says which are picked",
    ),
    "archive.image_set": "micrographs may join",
    "archive.connections": "files come as they are, however they come",
    "archive.bandwidth_MB_s": "files come as they are, however they come",
    "archive.disk_GB": "files come as they are, however long they are kept",
    "optics.spherical_aberration_mm": "it is written into STAR files alone",
    "optics.amplitude_contrast": "it is written into STAR files alone",
}
"""What a run may change when it goes on, and why: neither the picks' digest nor the store depends on it."""
AGAIN = {"diameter_A": "picks are made again, beside the others; micrographs stay where they are fine enough"}
"""What a run may change when it goes on at the price of work done again."""
OF_PICKS = (
    *("diameter_A", "model", "particle_px", "invert", "exact", "threads", "dtype"),
    *(f"filaments.{name}" for name in FilamentSettings.model_fields),
)
"""What stands in the digest of the picks."""
OF_TABLE = ("cut", "masks", "keep_junk", "any_image", "selection")
"""What decides which of them the table calls picked."""
OF_STORE = ("inputs", "pixel_size_A", "store_pixel_size_A", "relion_project", "optics.voltage_kV", "movies")
"""What decides what is ingested: names, pixels, and averages of movies (the voltage weights doses)."""


def leaves(kind: Any) -> Iterator[tuple[str, FieldInfo, str]]:
    """Yield every setting of a kind that holds no others: its dotted name, its field, its panel in help."""
    for name, field in _fields(kind).items():
        own = shown(field).panel
        if _fields(field.annotation):
            for below, leaf, panel in leaves(field.annotation):
                yield f"{name}.{below}", leaf, own or panel
        else:
            yield name, field, own or getattr(kind, "panel", "")


def called(name: str, field: FieldInfo) -> str:
    """Return the option of a setting on the command line; empty if it has none."""
    own = shown(field).option
    if own is None:
        return option(name)
    return own if not own or own.isupper() else f"--{own}"


def option(name: str) -> str:
    """Return what the command line calls a setting by rule, given its dotted name."""
    leaf = name.rpartition(".")[2]
    return "--" + re.sub(r"_(A|e_A2|MB_s|deg)$", "", leaf).replace("_", "-").lower()


def shown(field: FieldInfo) -> Shown:
    """Return what only a command line needs to know of a setting."""
    return next((one for one in field.metadata if isinstance(one, Shown)), Shown())


def _fields(kind: Any) -> dict[str, FieldInfo]:
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {
            field.name: FieldInfo.from_annotated_attribute(hints[field.name], field.default)
            for field in fields(kind)
        }
    return dict(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def typed(field: FieldInfo, text: str) -> Any:
    """Return the plain value that a person's text means for a setting: YAML's, or itself where it is text."""
    kinds = [one for part in _alternatives(field.annotation) for one in (part, get_origin(part))]
    if str in kinds or Path in kinds:
        return text
    if any(Ellipsis in get_args(kind) for kind in kinds) and not text.startswith("["):
        return [part if number(part) is None else number(part) for part in text.split(",")]
    if tuple in kinds:
        return meant(text)
    found = number(text)
    return text if found is None else found


def _alternatives(kind: Any) -> Iterator[Any]:
    if get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            yield from _alternatives(one)
    elif get_origin(kind) is Annotated:
        yield from _alternatives(get_args(kind)[0])
    else:
        yield kind


def number(text: str) -> int | float | None:
    """Return the number that a text is, or ``None``."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return None


def meant(text: str) -> Any:
    """Return a number, even where YAML takes it for a word (1e4); ``LO,HI``; or what YAML makes of it."""
    numbers = [number(part) for part in text.split(",")]
    if None in numbers:
        return parse_yaml(text)
    return numbers if len(numbers) > 1 else numbers[0]


def differences(old: RunSettings, new: RunSettings) -> list[str]:
    """Return what a resumed run would change of the picks, as ``name: old -> new`` lines."""
    free = set(FREE)
    if old.movies.dose_per_frame_e_A2 is None and new.movies.dose_per_frame_e_A2 is None:
        free.add("optics.voltage_kV")  # then it is written into STAR files alone
    before, after = (dict(_flat(settings.model_dump(mode="json"))) for settings in (old, new))
    return [
        f"{name}: {before[name]} -> {after[name]}"
        for name in after
        if name not in free and name not in AGAIN and before[name] != after[name]
    ]


def _flat(data: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
