"""What an API server does to an object before it looks at values: unknown fields, nulls, defaults.

The order matters and is the API server's: unknown fields are found, nulls that a field can't have
are dropped, then absent fields get their defaults.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from posthuman.api.schema import Schema

PRESERVE = "x-kubernetes-preserve-unknown-fields"


def child(path: str, name: str) -> str:
    """Path of a named field, as the API server writes it."""
    return f"{path}.{name}" if path else name


def member(schema: Schema, name: str) -> Schema | None:
    """Schema of one field of an object; None if the object can't have it, or anything goes."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    additional: Schema | None = schema.get("additionalProperties")
    return properties.get(name, additional)


def drop_unknown(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """Remove, in place, each field that the schema doesn't have; yields a sentence for each."""
    if schema.get(PRESERVE):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from drop_unknown(schema.get("items", {}), item, f"{path}[{index}]")
    for name in list(value) if isinstance(value, dict) else ():
        inner = member(schema, name)
        if inner is None:
            del value[name]
            yield f'unknown field "{child(path, name)}"{_meant(name, schema)}'
        else:
            yield from drop_unknown(inner, value[name], child(path, name))


def _meant(name: str, schema: Schema) -> str:
    close = difflib.get_close_matches(name, schema.get("properties", {}), n=1)
    return f', did you mean "{close[0]}"?' if close else ""


def drop_nulls(schema: Schema, value: Any) -> None:
    """Remove, in place, nulls of fields that can't be null and have no default."""
    if isinstance(value, list):
        for item in value:
            drop_nulls(schema.get("items", {}), item)
    if not isinstance(value, dict):
        return
    for name in list(value):
        inner = member(schema, name)
        if value[name] is None and inner is not None and "default" not in inner:
            del value[name]
        elif inner is not None:
            drop_nulls(inner, value[name])


def apply_defaults(schema: Schema, value: Any) -> None:
    """Fill, in place, absent (or null) fields that have a default, from the outside inwards."""
    if isinstance(value, list):
        for item in value:
            apply_defaults(schema.get("items", {}), item)
    if not isinstance(value, dict):
        return
    for name, inner in schema.get("properties", {}).items():
        if "default" in inner and value.get(name) is None:
            value[name] = copy.deepcopy(inner["default"])
    for name, content in value.items():
        apply_defaults(member(schema, name) or {}, content)
