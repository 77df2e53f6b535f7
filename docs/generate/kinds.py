"""What a setting may be, in words, from its JSON schema."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
_NAMES = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "`true` or `false`",
    "null": "`null`",
}
_BOUNDS = {"exclusiveMinimum": "> ", "minimum": "≥ ", "exclusiveMaximum": "< ", "maximum": "≤ "}


def in_words(schema: Schema, definitions: Schema) -> str:
    """Return what a JSON schema allows, bounds included; names of settings classes are code.

    Parameters
    ----------
    definitions
        What ``#/$defs/`` of the schema refers to.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = definitions[name]
        return in_words(target, definitions) if "properties" not in target else f"`{target['title']}`"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(in_words(one, definitions) for one in schema[key]))
    if schema.get("type") == "array":
        return _list(schema, definitions)
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"names to {in_words(values, definitions)}" if isinstance(values, dict) else "names to values"
    bounds = [f"{sign}{schema[name]:.10g}" for name, sign in _BOUNDS.items() if name in schema]
    return " ".join([_NAMES.get(str(schema.get("type")), "anything"), ", ".join(bounds)]).strip()


def _list(schema: Schema, definitions: Schema) -> str:
    if each := schema.get("prefixItems"):
        words = [in_words(one, definitions) for one in each]
        return f"{len(each)} of: {words[0]}" if len(set(words)) == 1 else f"list: {', '.join(words)}"
    return f"list of: {in_words(schema.get('items', {}), definitions)}"
