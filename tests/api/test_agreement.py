"""The CRDs and the typed kinds say the same: names, defaults, what is required, what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
import yaml

from posthuman.api import quantities
from posthuman.api.parse import KINDS
from posthuman.api.schema import Schema, crds_folder, schema_of

FREE = {"tolerations"}  # typed as a dict, described in full by the schema


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema below a schema, itself included, with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for nested, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if nested in schema:
            yield from nodes(schema[nested], path + mark)


def pairs() -> Iterator[tuple[str, Schema, type[msgspec.Struct]]]:
    """Each object of a schema with the struct that reads it."""
    for kind, struct in KINDS.items():
        sections = schema_of(kind)["properties"]
        for field in msgspec.structs.fields(struct):
            if field.name != "metadata":
                yield from _pairs(f"{kind}.{field.name}", sections[field.name], field.type)


def _pairs(path: str, schema: Schema, kind: Any) -> Iterator[tuple[str, Schema, Any]]:
    if schema.get("type") == "array":
        yield from _pairs(f"{path}[]", schema["items"], _plain(get_args(_plain(kind))[0]))
        return
    if not (isinstance(_plain(kind), type) and issubclass(_plain(kind), msgspec.Struct)):
        return
    yield path, schema, _plain(kind)
    for field in msgspec.structs.fields(_plain(kind)):
        inner = schema.get("properties", {}).get(field.encode_name)
        if inner and field.encode_name not in FREE:
            yield from _pairs(f"{path}.{field.encode_name}", inner, field.type)


def _plain(kind: Any) -> Any:
    """`X` of `X | None`."""
    options = [option for option in get_args(kind) if option is not type(None)]
    return options[0] if len(options) == 1 and type(None) in get_args(kind) else kind


EACH_PAIR = pytest.mark.parametrize(
    ("path", "schema", "struct"), [pytest.param(*pair, id=pair[0]) for pair in pairs()]
)


@EACH_PAIR
def test_a_struct_has_the_fields_of_its_schema(
    path: str, schema: Schema, struct: type[msgspec.Struct]
) -> None:
    fields = msgspec.structs.fields(struct)
    assert {field.encode_name for field in fields} == set(schema["properties"])
    assert {field.encode_name for field in fields if field.required} == set(
        schema.get("required", ())
    )


@EACH_PAIR
def test_a_struct_has_the_defaults_of_its_schema(
    path: str, schema: Schema, struct: type[msgspec.Struct]
) -> None:
    for field in msgspec.structs.fields(struct):
        given = schema["properties"][field.encode_name]
        if "default" in given:
            assert msgspec.convert(given["default"], field.type) == _default(field), field.name
        elif not field.required:
            assert not _default(field), f"{path}.{field.encode_name} has no default in the schema"


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


@EACH_PAIR
def test_a_struct_has_the_choices_of_its_schema(
    path: str, schema: Schema, struct: type[msgspec.Struct]
) -> None:
    for field in msgspec.structs.fields(struct):
        choices = _choices(_plain(field.type))
        if choices:
            assert set(schema["properties"][field.encode_name]["enum"]) == choices, field.name


def _choices(kind: Any) -> set[str]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {str(member.value) for member in kind}
    return set(get_args(kind)) if get_origin(kind) is Literal else set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: str) -> None:
    undescribed = [
        path
        for path, schema in nodes(schema_of(kind))
        if "description" not in schema and not path.endswith(("]", "}")) and "metadata" not in path
    ]
    assert undescribed == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_person_may_leave_out_says_its_default(kind: str) -> None:
    silent = [
        f"{path}.{name}"
        for path, schema in nodes(schema_of(kind)["properties"]["spec"])
        for name, field in schema.get("properties", {}).items()
        if name not in schema.get("required", ()) and "default" in field
        if not isinstance(field["default"], dict) and "Default, " not in field["description"]
    ]
    assert silent == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_rule_reads_is_bounded(kind: str) -> None:
    """An API server refuses rules whose cost it can't estimate."""
    spec = schema_of(kind)["properties"]["spec"]
    unbounded = [
        path
        for path, schema in nodes(spec)
        if (schema.get("type") == "string" and not {"maxLength", "enum"} & set(schema))
        or (schema.get("type") == "array" and "maxItems" not in schema)
    ]
    assert unbounded == []


@pytest.mark.parametrize(
    ("pattern", "fields"),
    [
        (
            quantities.DURATION_PATTERN,
            {"timeout", "maxDuration", "maxQueueTime", "checkpointGrace", "resultRetention"},
        ),
        (
            quantities.BYTES_PATTERN,
            {
                "memory",
                "memoryPerNode",
                "sharedMemory",
                "gpuMemory",
                "size",
                "maxResultBytes",
            },
        ),
        (quantities.CPU_PATTERN, {"cpu", "cpuPerNode"}),
        (quantities.TOKENS_PATTERN, {"reward", "amount", "priceMin"}),
    ],
)
def test_the_rules_admit_exactly_what_is_read(pattern: str, fields: set[str]) -> None:
    matching = {
        path.rpartition(".")[2]
        for kind in KINDS
        for path, schema in nodes(schema_of(kind))
        for rule in schema.get("x-kubernetes-validations", ())
        if rule["rule"] == f"self.matches('{pattern}')"
    }
    assert matching == fields


def test_each_short_name_is_free() -> None:
    """kubectl takes Kubernetes' own kinds first: cj is a CronJob, for one."""
    taken = {"cj", "cm", "cr", "cs", "deploy", "ds", "ep", "ev", "hpa", "ing", "limits", "netpol"}
    for path in crds_folder().glob("*.yaml"):
        names = yaml.safe_load(path.read_text())["spec"]["names"]
        assert not taken & set(names["shortNames"])
