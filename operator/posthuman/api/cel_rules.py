"""The CRDs' rules (`x-kubernetes-validations`), evaluated on a laptop as an API server does.

The rules keep to the part of CEL that both evaluate alike; tests/api runs the same manifests
through both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import cel

from posthuman.api.schema import Schema
from posthuman.api.schema_fields import child, member
from posthuman.api.schema_values import FieldError, invalid

RULES = "x-kubernetes-validations"
KEYS = "x-kubernetes-list-map-keys"
_USES_OLD = re.compile(r"\boldSelf\b")


def rule_errors(
    schema: Schema, value: Any, old: Any = None, path: str = ""
) -> Iterator[FieldError]:
    """What the rules say of an object that its schema admits.

    Rules that name `oldSelf` run where there is an old value to compare with.
    """
    if value is None:
        return
    for rule in schema.get(RULES, ()):
        if not _holds(rule["rule"], schema, value, old):
            yield _told(rule, schema, path)
    for inner, content, previous, inner_path in _children(schema, value, old, path):
        yield from rule_errors(inner, content, previous, inner_path)


def _holds(expression: str, schema: Schema, value: Any, old: Any) -> bool:
    if not _USES_OLD.search(expression):
        return bool(_compiled(expression).execute({"self": value}))
    if old is None:
        return True
    seen = {"self": _unordered(schema, value), "oldSelf": _unordered(schema, old)}
    return bool(_compiled(expression).execute(seen))


@lru_cache(maxsize=256)
def _compiled(expression: str) -> cel.Program:
    return cel.compile(expression)


def _told(rule: Mapping[str, str], schema: Schema, path: str) -> FieldError:
    where = (path + rule.get("fieldPath", "")).removeprefix(".")
    if rule.get("reason") == "FieldValueForbidden":
        return FieldError(where, "Forbidden", rule["message"])
    return invalid(where, schema["type"], rule["message"])


def _children(
    schema: Schema, value: Any, old: Any, path: str
) -> Iterator[tuple[Schema, Any, Any, str]]:
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, content in value.items():
            yield member(schema, name) or {}, content, before.get(name), child(path, name)
    if isinstance(value, list):
        for index, item in enumerate(value):
            same = _same_entry(schema, item, old)
            yield schema.get("items", {}), item, same, f"{path}[{index}]"


def _same_entry(schema: Schema, item: Any, old: Any) -> Any:
    """The old entry with the same key; entries of a list without keys can't be told apart."""
    names = schema.get(KEYS, ())
    for candidate in old or () if names else ():
        if all(candidate.get(name) == item.get(name) for name in names):
            return candidate
    return None


def _unordered(schema: Schema, value: Any) -> Any:
    """The value with keyed lists sorted by key: their order means nothing to the API server."""
    if isinstance(value, dict):
        return {name: _unordered(member(schema, name) or {}, v) for name, v in value.items()}
    if not isinstance(value, list):
        return value
    items = [_unordered(schema.get("items", {}), item) for item in value]
    names = schema.get(KEYS, ())
    return sorted(items, key=lambda item: [str(item.get(n)) for n in names]) if names else items
