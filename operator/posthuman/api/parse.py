"""The border: API objects in, typed ones out; and a typed status back as a dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import API_VERSION
from posthuman.errors import UserError

Resource = ComputeJob | ModelAsset | ComputeEnvironment
T = TypeVar("T", bound=Resource)
KINDS: dict[str, type[Resource]] = {
    "ComputeJob": ComputeJob,
    "ModelAsset": ModelAsset,
    "ComputeEnvironment": ComputeEnvironment,
}


def parse(body: Mapping[str, Any], kind: type[T]) -> T:
    """Raises UserError with the field's path, for an object that no CRD would have admitted."""
    try:
        return msgspec.convert(_plain(body), kind)
    except msgspec.ValidationError as error:
        raise UserError(f"{kind.__name__} can't be read: {error}") from error


def dump(resource: Resource) -> dict[str, Any]:
    """The whole object, ready for the API server."""
    kind = type(resource).__name__
    body: dict[str, Any] = msgspec.to_builtins(resource)
    return {"apiVersion": API_VERSION, "kind": kind, **body}


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """Kopf's bodies are immutable views; msgspec wants dicts."""
    return {name: dict(body.get(name) or {}) for name in ("metadata", "spec", "status")}
