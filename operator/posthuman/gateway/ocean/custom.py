"""`algocustomdata`: the algorithm's parameters, and three names that are this service's own. Pure.

`publish` asks for a new asset of the trained model, as ComputeJob's `spec.publish` has it; it is
no parameter. `resources` asks for less than all of the environment's hardware. `uploads` brings
what the owner has uploaded (`posthuman upload`) as further inputs.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from jobkit.nesting import is_deep
from posthuman.api.job import JobInput, PublishSpec, WorkerResources
from posthuman.errors import UserError
from posthuman.gateway.ocean.fields import mapping

T = TypeVar("T")


class AskedResources(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`algocustomdata.resources`, and nothing else in it."""

    nodes: int = 0  # 0: compute.Instances
    gpus_per_node: int | None = None  # None: all of a node's
    cpu: str = ""
    memory: str = ""


class AskedUpload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `algocustomdata.uploads`, as `posthuman upload -o json` prints it."""

    name: str
    upload: str
    sha256: str = ""
    kind: Literal["model", "dataset", "file"] = "dataset"


class Custom(msgspec.Struct, frozen=True, kw_only=True):
    """What it says."""

    parameters: dict[str, Any]
    publish: PublishSpec | None = None
    nodes: int = 0
    gpus_per_node: int | None = None
    resources: WorkerResources = WorkerResources()
    uploads: tuple[JobInput, ...] = ()


def custom_of(value: object) -> Custom:
    """Of an object, or a text that is one's JSON. Raises UserError."""
    asked = dict(mapping(_decoded(value), "algocustomdata"))
    publish = _typed(asked.pop("publish", None), PublishSpec, "publish")
    resources = _typed(asked.pop("resources", None), AskedResources, "resources")
    uploads = _uploads(asked.pop("uploads", None))
    if resources is None:
        return Custom(parameters=asked, publish=publish, uploads=uploads)
    return Custom(
        parameters=asked,
        publish=publish,
        nodes=resources.nodes,
        gpus_per_node=resources.gpus_per_node,
        resources=WorkerResources(cpu=resources.cpu, memory=resources.memory),
        uploads=uploads,
    )


def _uploads(value: object) -> tuple[JobInput, ...]:
    found = _typed(value, tuple[AskedUpload, ...], "uploads") or ()
    return tuple(
        JobInput(name=one.name, kind=one.kind, upload=one.upload, sha256=one.sha256)
        for one in found
    )


def _decoded(value: object) -> object:
    if value is None or value == "":
        return {}
    if not isinstance(value, str):
        return value
    if is_deep(value.encode()):
        raise UserError("`algocustomdata` is nested too deep; flatten it")
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise UserError(f"`algocustomdata` is a text that is no JSON: {error}") from error


def _typed(value: object, kind: type[T], name: str) -> T | None:
    if value is None:
        return None
    try:
        found = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UserError(f"`algocustomdata.{name}`: {error}") from error
    if isinstance(value, dict) and (unknown := value.keys() - _names(kind)):
        raise UserError(f"`algocustomdata.{name}` knows no {', '.join(sorted(unknown))}")
    return found


def _names(kind: type[Any]) -> set[str]:
    """Of a struct's fields, as they are written."""
    return {field.encode_name for field in msgspec.structs.fields(kind)}
