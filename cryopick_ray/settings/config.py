"""Settings from and to YAML, options and plain data; every wrong value is named."""

import re
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from cryopick_ray.errors import MOST_SHOWN, UsageError, brief, plain
from cryopick_ray.plain_data import MAX_YAML_BYTES, parse_yaml, yaml_complaint
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.leaves import leaves, meant, typed
from cryopick_ray.settings.run_settings import RunSettings

MOST_COMPLAINTS = 8
EXPECTED = ": expected one of "

SettingsT = TypeVar("SettingsT", bound=Settings)
_KEPT_TWICE = {"pixel_size_A", "voltage_kV"}
_KINDS = {"float", "int", "str", "bool"}
"""What pydantic puts into a path for the alternatives of a type."""
_WITH_COMMA = r"[+-]?[0-9]+,[0-9]+"


def load_settings(data: dict[str, Any], say: Callable[[str], None] = lambda text: None) -> RunSettings:
    """Check plain data of a run, also as :func:`renewed` takes them.

    Parameters
    ----------
    say
        Told what is left out.
    """
    return _checked(RunSettings, renewed(data, say))


def renewed(data: dict[str, Any], say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Return plain data of a run as they are called today.

    Where it was run is no setting of it: a file that says so may be a stranger's, and never tells which
    cluster is joined. Nor is what earlier versions kept twice. ``precision`` was once the name of ``dtype``.
    """
    if "engine" in data:
        say("where to run (engine) is left out of the settings: it is said anew each time")
        data = {name: value for name, value in data.items() if name != "engine"}
    if isinstance(movies := data.get("movies"), dict):
        data = data | {"movies": {name: value for name, value in movies.items() if name not in _KEPT_TWICE}}
    if isinstance(archive := data.get("archive"), dict) and "pattern" in archive:
        pattern = archive["pattern"]
        archive = {name: value for name, value in archive.items() if name != "pattern"}
        data = {"pattern": pattern} | data | {"archive": archive}
    if data.get("precision") in ("auto", "float32", "bfloat16"):
        kept = {name: value for name, value in data.items() if name != "precision"}
        data = {"dtype": data["precision"]} | kept
    return data


def fill(kind: type[SettingsT], **values: Any) -> SettingsT:
    """Return settings from the options a person gave; ``None`` stands for not given."""
    return _checked(kind, {name: value for name, value in values.items() if value is not None})


def _checked(kind: type[SettingsT], data: dict[str, Any]) -> SettingsT:
    """Check plain data, or raise :class:`UsageError` naming every wrong value."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise refused(error, kind) from error


def checked(kind: type[SettingsT], data: dict[str, Any], *, of: str) -> SettingsT:
    """Return settings of a ``training``, ``suite`` or ``cluster`` from plain data; wrong ones are named.

    Raises
    ------
    UsageError
        Naming every wrong value.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise UsageError(plain(str(refused(error, kind, of)))) from error


def refused(error: ValidationError, kind: type[Settings], of: str = "run") -> UsageError:
    """Return what pydantic complains of, every wrong setting with its value."""
    found = [dict(one) for one in error.errors()]
    text = _listed(_complaint(one, kind, of) for one in found)
    return UsageError(text, **{_name(one): one["input"] for one in found})


def _listed(complaints: Iterable[str]) -> str:
    """Return different complaints in a line, the first of many; what several expected is told once."""
    different = list(dict.fromkeys(complaints))
    shown, more = different[:MOST_COMPLAINTS], len(different) - MOST_COMPLAINTS
    expected = [one.partition(EXPECTED)[2] for one in shown]
    told = [
        one.removesuffix(f"{EXPECTED}{own}") if own and own == following else one
        for one, own, following in zip(shown, expected, [*expected[1:], ""], strict=True)
    ]
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _complaint(error: dict[str, Any], kind: type[Settings], of: str) -> str:
    name, value, why = _name(error), error["input"], error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"`{name}` is missing in the settings of a {of}"
    if error["type"] == "extra_forbidden":
        return f"{name} is not a setting of a {of}{_beside(kind, error['loc'])}"
    is_group = isinstance(value, dict | Settings)
    if error["type"] == "value_error" and is_group:  # several values that do not go together
        return f"{name}: {why}".removeprefix(": ")
    if isinstance(value, str) and error["type"].endswith("_parsing") and re.fullmatch(_WITH_COMMA, value):
        why = f"it has a comma; did you mean {value.replace(',', '.')}?"
    why = why.replace("a valid tuple", "a list")
    return f"`{name}` is {brief(value)}: {why[0].lower()}{why[1:]}"


def _beside(kind: Any, path: tuple[str | int, ...]) -> str:
    """Return which settings there are where an unknown one was given."""
    for part in path[:-1]:
        field = getattr(kind, "model_fields", {}).get(part)
        kind = field and field.annotation
    known = getattr(kind, "model_fields", {})
    return f"{EXPECTED}{', '.join(known)}" if known else ""


def _name(error: dict[str, Any]) -> str:
    """Return the dotted name of the setting that pydantic complains of."""
    parts = [part for part in error["loc"] if isinstance(part, int) or part.isidentifier()]
    is_group = isinstance(error["input"], dict | Settings)  # a whole entry of a list
    while parts and isinstance(parts[-1], int) and not is_group:  # one of the numbers that are one value
        parts.pop()
    return ".".join(str(part) for part in parts if part not in _KINDS)[:MOST_SHOWN]


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises
    ------
    UsageError
        It cannot be read, is too large, or holds something else.
    """
    try:
        if path.stat().st_size > MAX_YAML_BYTES:
            raise yaml.YAMLError(f"it is larger than {MAX_YAML_BYTES >> 20} MiB")
        data = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} is not a readable YAML file: {yaml_complaint(error)}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds no settings (a mapping is expected)")
    return data


def assigned(data: dict[str, Any], texts: Sequence[str], kind: Any = None) -> dict[str, Any]:
    """Return plain data with ``NAME=VALUE`` texts put in, last one last.

    Dots lead into nested settings, numbers into lists (``data.0.labels_used=100``). Values are numbers,
    ``LO,HI`` for a range, or YAML.

    Parameters
    ----------
    kind
        Kind of settings, of which those that are text take the value as it is.

    Raises
    ------
    UsageError
        A text without ``=``, a value that is no YAML, or a name below one that holds no others.
    """
    known = {name: field for name, field, _ in leaves(kind)}
    result = deepcopy(data)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"`set` {text}: expected NAME=VALUE")
        *path, leaf = name.split(".")
        group: Any = result
        for part in path:
            if isinstance(group, list) and part.isdigit() and int(part) < len(group):
                group = group[int(part)]
            elif isinstance(group, dict):
                group = group.setdefault(part, {})
            else:
                group = None
            if not isinstance(group, dict | list):
                raise UsageError(f"`set` {text}: {part} holds no other settings")
        if not isinstance(group, dict):
            raise UsageError(f"`set` {text}: {leaf} has no name in a list")
        try:
            is_known = name in known and value != "null"
            group[leaf] = typed(known[name], value) if is_known else meant(value)
        except yaml.YAMLError as error:
            raise UsageError(
                f"`set` {text}: expected a number, LO,HI or YAML ({yaml_complaint(error)})"
            ) from error
    return result


def over(base: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``data`` over it at any depth, so that one value of a group can be given alone."""
    nested = {name for name in data if isinstance(data[name], dict) and isinstance(base.get(name), dict)}
    return base | {name: over(base[name], value) if name in nested else value for name, value in data.items()}


def to_yaml(settings: Settings) -> str:
    """Return ``settings`` as YAML that :func:`read_yaml` and :func:`load_settings` take back."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def absolute(text: str) -> str:
    """Return an INPUT that means the same from any folder."""
    return text if "://" in text or text.startswith("empiar:") else str(Path(text).absolute())


def absolute_model(model: str) -> str:
    """Return a weights file's full path; a model's name stays as it is."""
    return str(Path(model).absolute()) if Path(model).is_file() else model


def rooted(settings: RunSettings) -> RunSettings:
    """Return settings of a run whose paths mean the same from any folder."""
    movies, chosen = settings.movies, settings.selection
    files = {name: getattr(movies, name) for name in ("gain", "defects")}
    own = {name: path.absolute() for name, path in files.items() if path is not None}
    return settings.model_copy(
        update={
            "inputs": tuple(map(absolute, settings.inputs)),
            "model": absolute_model(settings.model),
            "relion_project": settings.project,
            "movies": movies.model_copy(update=own),
            "masks": settings.masks and settings.masks.absolute(),
            "selection": chosen.model_copy(
                update={
                    "curation": tuple(path.absolute() for path in chosen.curation),
                    "classes": tuple(path.absolute() for path in chosen.classes),
                },
            ),
        }
    )
