"""manifest.json: what a job or an upload left in the store; written last, so it means "complete".

Its bytes are RFC 8785 (canonical) JSON, so the digest of the file is the digest of its content.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
import rfc8785

MANIFEST_NAME = "manifest.json"
RECEIPT_NAME = "receipt.json"  # the operator's signature over a finished job, beside the manifest
CUSTODY_PREFIX = "model/"  # below it: weights; they stay in the environment
FileClass = Literal["custody", "result"]


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Camel case on the wire."""


class ManifestFile(Record, frozen=True, kw_only=True):
    """One stored file; `path` is relative to the manifest."""

    path: str
    sha256: str
    size: int
    file_class: FileClass = msgspec.field(name="class")


class ModelFacts(Record, frozen=True, kw_only=True):
    """What the safetensors headers and config.json say of the model below model/."""

    model_type: str
    parameter_count: int
    dtype: str


class Manifest(Record, frozen=True, kw_only=True):
    """Everything the operator believes of a finished upload."""

    files: tuple[ManifestFile, ...]
    version: int = 1
    outcome: str = "Succeeded"  # an upload is always Succeeded
    job: dict[str, str] = {}
    algorithm: dict[str, str] = {}
    inputs: tuple[dict[str, str], ...] = ()
    parameters: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    versions: dict[str, str] = {}
    gpu_seconds: float = 0.0
    model: ModelFacts | None = None
    created_at: str = ""


def encode_manifest(manifest: Manifest) -> bytes:
    """The file's bytes: canonical JSON."""
    return rfc8785.dumps(msgspec.to_builtins(manifest))


def decode_manifest(raw: bytes) -> Manifest:
    """Raises msgspec.ValidationError or DecodeError for bytes that are no manifest."""
    try:
        return msgspec.json.decode(raw, type=Manifest)
    except RecursionError as error:
        raise msgspec.DecodeError("it is nested too deep") from error
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("it is no UTF-8 text") from error


def digest_of(raw: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()
