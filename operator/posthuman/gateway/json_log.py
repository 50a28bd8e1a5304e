"""Logs as lines of JSON, for whatever collects them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

REQUEST = "request"  # the record's attribute that the access log sets


class JsonLines(logging.Formatter):
    """One object a record; an access record's fields stand beside its message."""

    def format(self, record: logging.LogRecord) -> str:
        """UTC, milliseconds."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := getattr(record, REQUEST, None)) is not None:
            line[REQUEST] = request
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()
