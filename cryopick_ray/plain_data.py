"""Parsing of untrusted YAML and JSON to plain data, with bounds on size and depth."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import yaml

from cryopick_ray.errors import brief, one_line

MAX_YAML_BYTES = 2**22
"""Of a file of settings: a shell passes at most 2 MiB of INPUTs, and the rest is small."""
MAX_YAML_DEPTH = 64
"""Settings nest six deep, Kubernetes' definitions about thirty."""
MAX_YAML_VALUES = 2**18
"""Each alias counts for all that it stands for: a few hundred bytes of aliases may stand for gigabytes."""


def parse_yaml(text: str) -> Any:
    """Return the data of a YAML text of one document.

    Raises
    ------
    yaml.YAMLError
        It is no YAML, several documents, or beyond the bounds of :func:`parse_documents`.
    """
    documents = parse_documents(text)
    if len(documents) > 1:
        raise yaml.YAMLError(f"expected one document, there are {len(documents)}")
    return documents[0] if documents else None


def parse_documents(text: str) -> list[Any]:
    """Return the documents of a YAML text: plain data, nothing executed.

    Raises
    ------
    yaml.YAMLError
        It is no YAML, nested deeper than :data:`MAX_YAML_DEPTH`, or its values are, with every alias
        written out, more than :data:`MAX_YAML_VALUES`.
    """
    _check_extent(yaml.parse(text, _Loader))
    return list(yaml.load_all(text, _Loader))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain data; dates stay texts, and what looks like a number and is none has its line named."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """Make a mapping: its names are texts, which no one can choose to be slow to find."""
        self.flatten_mapping(node)
        for name, _ in node.value:
            if name.tag != "tag:yaml.org,2002:str":
                problem = f"expected a name, found {brief(name.value)}"
                raise yaml.constructor.ConstructorError(None, None, problem, name.start_mark)
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Make a value of a node."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            kind = node.tag.rpartition(":")[2]
            problem = f"expected {kind}, found {brief(node.value)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def _check_extent(events: Iterable[yaml.Event]) -> None:
    """Refuse YAML that is too deep or too large before it is constructed."""
    weights: dict[str | None, int] = {}
    count, open_since = 0, list[tuple[str | None, int]]()
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in weights:
                raise _beyond(event, f"the alias {brief(event.anchor)} stands for nothing before it")
            count += weights[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            weights.pop(event.anchor, None)  # from here on it names this collection, which has no end yet
            open_since.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            weights[event.anchor] = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_since.pop()
            weights[anchor] = count - before
        if len(open_since) > MAX_YAML_DEPTH or count > MAX_YAML_VALUES:
            raise _beyond(
                event,
                f"expected values nested at most {MAX_YAML_DEPTH} deep and, with aliases written out, "
                f"at most {MAX_YAML_VALUES} of them",
            )


def _beyond(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    mark: Any = event.start_mark
    return yaml.MarkedYAMLError(None, None, problem, mark)


def yaml_complaint(error: Exception) -> str:
    """Return the error of a YAML text in one line, with its position."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line + 1}: {one_line(problem)}" if mark and problem else brief(error)


def read_json(path: Path, at_most: int) -> Any:
    """Return the data of a JSON file of at most ``at_most`` bytes.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is too large, too deep, or no JSON.
    """
    if (size := path.stat().st_size) > at_most:
        raise ValueError(f"it has {size} bytes, expected at most {at_most}")
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError("its values are nested too deep") from error
