"""What an API server would say to an object of ours, on a machine that has none.

`posthuman run` admits manifests here before anything else: the CRDs' schema, defaults and rules
give the same verdict as on a cluster, with the same field paths and, for rules, the same sentence.
"""

from __future__ import annotations

import copy
from typing import Any

import msgspec

from posthuman.api.cel_rules import rule_errors
from posthuman.api.meta import API_VERSION, PLURALS
from posthuman.api.schema import Schema, schema_of
from posthuman.api.schema_fields import apply_defaults, drop_nulls, drop_unknown
from posthuman.api.schema_values import FieldError, value_errors
from posthuman.errors import UserError

NO_FIELD = "<nil>"
UNCHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECT_META: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        **{field: {"type": "string"} for field in ("namespace", "uid", "resourceVersion")},
        **{field: {"type": "string"} for field in ("creationTimestamp", "deletionTimestamp")},
        "generation": {"type": "integer"},
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"x-kubernetes-preserve-unknown-fields": True},
        "managedFields": {"x-kubernetes-preserve-unknown-fields": True},
    },
}


class AdmissionError(UserError):
    """The object is refused; `errors` has one sentence for each thing that is wrong, as an API
    server lists them. Its entry for no field (UNCHECKED) is of no use to a person."""

    def __init__(self, title: str, errors: tuple[str, ...]) -> None:
        shown = [error for error in errors if not error.startswith(NO_FIELD)]
        told = shown[0] if len(shown) == 1 else "".join(f"\n* {error}" for error in shown)
        super().__init__(f"{title} is invalid: {told}")
        self.errors = errors


def admit(body: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    """The object as an API server would store it, defaults filled in; `old` is what it replaces.

    A status in `body` is ignored, as a cluster does. Raises AdmissionError, a UserError that lists
    everything that is wrong.
    """
    schema = _schema(body)
    stored = _as_json(body)
    errors = [*drop_unknown(schema, stored)]
    _carry_status(stored, old)
    drop_nulls(schema, stored)
    apply_defaults(schema, stored)
    errors += map(str, _errors(schema, stored, old))
    if errors:
        raise AdmissionError(_title(body), tuple(errors))
    return stored


def _schema(body: dict[str, Any]) -> Schema:
    """The kind's schema, with what the API server knows of metadata put in its place."""
    _refuse_unless_ours(body)
    schema = dict(schema_of(body["kind"]))
    named = schema["properties"]["metadata"]["properties"]
    metadata = {**_OBJECT_META, "properties": {**_OBJECT_META["properties"], **named}}
    return schema | {
        "properties": schema["properties"] | {"metadata": metadata},
        "required": ["metadata", *schema["required"]],
    }


def _refuse_unless_ours(body: dict[str, Any]) -> None:
    """No schema, no further word: the kind and its version come first."""
    known = {"apiVersion": [API_VERSION], "kind": list(PLURALS)}
    errors = tuple(
        f'{field}: Unsupported value: "{body.get(field)}": supported values: '
        + ", ".join(f'"{value}"' for value in allowed)
        for field, allowed in known.items()
        if body.get(field) not in allowed
    )
    if errors:
        raise AdmissionError(_title(body), errors)


def _title(body: dict[str, Any]) -> str:
    metadata = body.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return f'{body.get("kind", "object")} "{name}"'


def _as_json(body: dict[str, Any]) -> dict[str, Any]:
    """A copy in JSON's types: YAML also knows dates (kubectl keeps their text) and other keys."""
    try:
        copied: dict[str, Any] = msgspec.to_builtins(body, str_keys=True)
    except TypeError as error:
        raise AdmissionError(_title(body), (f"no JSON can be made of it: {error}",)) from error
    return copied


def _carry_status(stored: dict[str, Any], old: dict[str, Any] | None) -> None:
    stored.pop("status", None)
    if old is not None and "status" in old:
        stored["status"] = copy.deepcopy(old["status"])


def _errors(schema: Schema, stored: dict[str, Any], old: dict[str, Any] | None) -> list[FieldError]:
    errors = [*value_errors(schema, stored)]
    if any(error.blocking for error in errors):
        return [*errors, FieldError(NO_FIELD, "Invalid value: null", UNCHECKED)]
    return [*errors, *rule_errors(schema, stored, _with_defaults(schema, old))]


def _with_defaults(schema: Schema, old: dict[str, Any] | None) -> dict[str, Any] | None:
    """An old object may have been stored before a default was there."""
    if old is None:
        return None
    filled = copy.deepcopy(old)
    drop_nulls(schema, filled)
    apply_defaults(schema, filled)
    return filled
