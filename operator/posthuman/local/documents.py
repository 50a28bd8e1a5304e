"""Manifests as people write them: YAML files with one or more documents, read for this machine."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from posthuman.api.meta import Key
from posthuman.errors import UserError

SECRET_KIND = "Secret"
CLUSTER_SCOPED = "ComputeEnvironment"
DEFAULT_NAMESPACE = "default"  # as kubectl's


class Document(NamedTuple):
    """One document; `place` says where it stands, for messages."""

    place: str
    kind: str
    body: dict[str, Any]

    @property
    def key(self) -> Key:
        """Namespace and name."""
        metadata = self.body["metadata"]
        return Key(metadata.get("namespace", ""), metadata["name"])


def read_documents(path: Path) -> list[Document]:
    """Raises UserError for a file that holds no manifest."""
    try:
        text = path.read_text()
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no YAML: it isn't UTF-8") from error
    return documents_of(str(path), text)


def documents_of(place: str, text: str) -> list[Document]:
    """The same of a text. Raises UserError."""
    try:
        bodies = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise UserError(f"{place} is no YAML: {' '.join(str(error).split())}") from error
    found = [
        _document(f"{place}, document {number}", body)
        for number, body in enumerate(bodies, start=1)
        if body is not None
    ]
    if not found:
        raise UserError(f"{place} is empty; write a ComputeJob into it (see examples/)")
    return found


def secret_content(body: Mapping[str, Any]) -> dict[str, bytes]:
    """A Secret's data, decoded, and its stringData. Raises UserError."""
    try:
        decoded = {
            name: base64.b64decode(text, validate=True)
            for name, text in (body.get("data") or {}).items()
        }
    except (ValueError, TypeError) as error:
        name = body["metadata"]["name"]
        raise UserError(f'Secret "{name}": data must be base64; or use stringData') from error
    plain = {name: str(text).encode() for name, text in (body.get("stringData") or {}).items()}
    return decoded | plain


def _document(place: str, body: object) -> Document:
    if not isinstance(body, dict):
        raise UserError(f"{place} is no manifest: it needs apiVersion, kind, metadata and spec")
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise UserError(f"{place} has no metadata.name; give it a name")
    kind = str(body.get("kind", ""))
    return Document(place, kind, body if kind == CLUSTER_SCOPED else _with_namespace(body))


def _with_namespace(body: dict[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": DEFAULT_NAMESPACE, **body["metadata"]}
    return {**body, "metadata": metadata}
