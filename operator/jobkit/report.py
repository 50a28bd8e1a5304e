"""How a step ends: one JSON object in the container's termination message (at most 4096 bytes)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec

from jobkit.nesting import is_shallow
from jobkit.plan import TERMINATION_LOG_ENV

MAX_REPORT_BYTES = 4096  # Kubernetes cuts a termination message here
DEFAULT_TERMINATION_LOG = "/dev/termination-log"


Reason = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Za-z0-9]{0,63}$")]


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The end of one step, as the operator reads it.

    `reason` is one CamelCase word (ChecksumMismatch), `message` a sentence that says what to do.
    `user_error`: the same inputs will fail the same way, so no further attempt is made.
    `details`: facts for the operator (stage: inputs; export: manifestDigest, files, bytes).
    """

    reason: Reason
    message: str = ""
    user_error: bool = False
    details: dict[str, Any] = {}


def write_report(report: Report) -> None:
    """Leave the report where the kubelet (or the local runner) picks it up."""
    path = Path(os.environ.get(TERMINATION_LOG_ENV, DEFAULT_TERMINATION_LOG))
    path.write_bytes(encode_report(report))


def encode_report(report: Report) -> bytes:
    """JSON within the limit: a message that is too long is cut, never the reason."""
    raw = msgspec.json.encode(report)
    if len(raw) <= MAX_REPORT_BYTES:
        return raw
    keep = max(0, len(report.message.encode()) - (len(raw) - MAX_REPORT_BYTES) - 16)
    shorter = report.message.encode()[:keep].decode(errors="ignore") + " …"
    return msgspec.json.encode(msgspec.structs.replace(report, message=shorter))


def decode_report(raw: bytes | str) -> Report | None:
    """The report in a termination message, or None if a program of another kind wrote it.

    Any container may write there, so nothing in it may raise: brackets without end, say.
    """
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    if not is_shallow(text):
        return None
    try:
        return msgspec.json.decode(text, type=Report)
    except msgspec.MsgspecError:
        return None
