"""An object's values against its schema, told in the words of the API server.

jsonschema finds what is wrong; this module says it as `kubectl apply` would, field path included.
CEL rules are cel_rules.py's matter, and run only if nothing here is blocking.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any, NamedTuple

import jsonschema
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

from posthuman.api.schema import Schema
from posthuman.api.schema_fields import child, member


class FieldError(NamedTuple):
    """One thing that is wrong with an object.

    `path` is where, such as spec.inputs[0].sha256; `problem` is how the API server calls it
    (Required value, Invalid value: "zz", …), `detail` the sentence. A `blocking` one leaves no
    object that rules could be asked about.
    """

    path: str
    problem: str
    detail: str = ""
    blocking: bool = False

    def __str__(self) -> str:
        return ": ".join(part for part in (self.path, self.problem, self.detail) if part)


def value_errors(schema: Schema, value: Any) -> Iterator[FieldError]:
    """What is wrong with the values of an object whose defaults are filled in."""
    for error in _CHECKER(schema).iter_errors(value):
        yield _told(error)
    yield from _duplicates(schema, value, "")


def invalid(path: str, value: Any, detail: str, blocking: bool = False) -> FieldError:
    """The API server's most general complaint."""
    return FieldError(path, f"Invalid value: {_shown(value)}", detail, blocking)


def _shown(value: Any) -> str:
    """A value as the API server quotes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _told(error: ValidationError) -> FieldError:
    path = ""
    for part in error.absolute_path:
        path = f"{path}[{part}]" if isinstance(part, int) else child(path, str(part))
    return _WORDS[str(error.validator)](path, error.instance, error.validator_value)


def _required(path: str, instance: Any, limit: Any) -> FieldError:
    return FieldError(path, "Required value", blocking=True)


def _type(path: str, instance: Any, wanted: str) -> FieldError:
    found = _type_name(instance)
    hint = "; write it in quotes" if wanted == "string" and found not in ("object", "array") else ""
    detail = f'{path} in body must be of type {wanted}: "{found}"{hint}'
    return invalid(path, found, detail, blocking=True)


def _type_name(instance: Any) -> str:
    if isinstance(instance, int) and not _is_integer(None, instance):
        return "boolean" if isinstance(instance, bool) else "number"
    names = {type(None): "null", int: "integer", float: "number", str: "string"}
    return names.get(type(instance)) or ("array" if isinstance(instance, list) else "object")


def _enum(path: str, instance: Any, allowed: list[Any]) -> FieldError:
    supported = ", ".join(_shown(value) for value in allowed)
    problem = f"Unsupported value: {_shown(instance)}"
    return FieldError(path, problem, f"supported values: {supported}", blocking=True)


def _too_long(path: str, instance: Any, limit: int) -> FieldError:
    return FieldError(path, "Too long", f"may not be more than {limit} bytes", blocking=True)


def _too_many(path: str, instance: Any, limit: int) -> FieldError:
    problem = f"Too many: {len(instance)}"
    return FieldError(path, problem, f"must have at most {limit} items", blocking=True)


def _should(words: str) -> Callable[[str, Any, Any], FieldError]:
    def told(path: str, instance: Any, limit: Any) -> FieldError:
        return invalid(path, instance, f"{path} in body should {words.format(limit)}")

    return told


_WORDS: dict[str, Callable[[str, Any, Any], FieldError]] = {
    "required": _required,
    "type": _type,
    "enum": _enum,
    "maxLength": _too_long,
    "maxItems": _too_many,
    "maxProperties": _too_many,
    "minLength": _should("be at least {} chars long"),
    "minimum": _should("be greater than or equal to {}"),
    "maximum": _should("be less than or equal to {}"),
    "pattern": _should("match '{}'"),
}


def _each_required(
    validator: Validator, names: list[str], instance: Any, schema: Schema
) -> Iterator[ValidationError]:
    """The API server names the missing field itself, not the object that lacks it."""
    for name in names if isinstance(instance, dict) else ():
        if name not in instance:
            yield ValidationError("", path=[name])


def _whole_pattern(
    validator: Validator, pattern: str, instance: Any, schema: Schema
) -> Iterator[ValidationError]:
    """Go's `$` is the end of the text; Python's also matches before a last line break.

    Of a text whose length is wrong already, no more is said.
    """
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    if not isinstance(instance, str) or not shortest <= len(instance) <= longest:
        return
    if not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError("")


def _is_integer(checker: object, instance: Any) -> bool:
    """64 bits, as the API server holds it; 2.0 is one, true is none."""
    if isinstance(instance, float):
        return instance.is_integer()
    number = isinstance(instance, int) and not isinstance(instance, bool)
    return number and -(2**63) <= instance < 2**63


_CHECKER = jsonschema.validators.create(
    meta_schema=Draft202012Validator.META_SCHEMA,
    validators={
        **Draft202012Validator.VALIDATORS,
        "required": _each_required,
        "pattern": _whole_pattern,
    },
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def _duplicates(schema: Schema, value: Any, path: str) -> Iterator[FieldError]:
    """Entries of a keyed list that have the same key."""
    if isinstance(value, list):
        yield from _same_keys(schema, value, path)
        for index, item in enumerate(value):
            yield from _duplicates(schema.get("items", {}), item, f"{path}[{index}]")
    if isinstance(value, dict):
        for name, content in value.items():
            yield from _duplicates(member(schema, name) or {}, content, child(path, name))


def _same_keys(schema: Schema, value: list[Any], path: str) -> Iterator[FieldError]:
    names = schema.get("x-kubernetes-list-map-keys", [])
    others = [i for i, item in enumerate(value) if not isinstance(item, (dict, NoneType))]
    if names and others:
        detail = "must be an object for an array of list-type map"
        yield invalid(f"{path}[{others[0]}]", value[others[0]], detail)
        return
    keys = [{n: item.get(n) for n in names} if item else {} for item in value] if names else []
    for index, key in enumerate(keys):
        if key in keys[:index]:
            yield FieldError(f"{path}[{index}]", f"Duplicate value: {_shown(key)}")
