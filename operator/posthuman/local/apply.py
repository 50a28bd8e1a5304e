"""`kubectl apply` on this machine: admission as on a cluster, then the object is there."""

from __future__ import annotations

from typing import Any, TypeVar

from posthuman.api.admission import admit
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.parse import dump, parse
from posthuman.local.documents import Document, secret_content
from posthuman.local.objects import Objects

R = TypeVar("R", ComputeJob, ModelAsset, ComputeEnvironment)


def apply_document(objects: Objects, document: Document) -> None:
    """Create the object, or change the one of that name. Raises UserError as a cluster refuses."""
    body = document.body
    match document.kind:
        case "Secret":
            objects.put_secret(document.key, secret_content(body))
        case "ComputeEnvironment":
            _apply(objects, ComputeEnvironment, document)
        case "ModelAsset":
            _apply(objects, ModelAsset, document)
        case "ComputeJob":
            _apply(objects, ComputeJob, document)
        case _:
            admit(body)  # refuses it, with the kinds that there are


def _apply(objects: Objects, kind: type[R], document: Document) -> None:
    current = objects.find(kind, document.key)
    old: dict[str, Any] | None = dump(current) if current else None
    wanted = parse(admit(document.body, old), kind)
    if current is None:
        objects.create(wanted)
    elif wanted.spec != current.spec:
        objects.write_spec(wanted)
