"""What can go wrong, as the core sees it. Adapters translate their vendors' errors into these.

PosthumanError
├── UserError         the same input fails again: say what to do, never retry
├── TransientError    the world is not ready: look again with back-off
│   └── Conflict      someone wrote first: observe anew
└── NotFound          the named thing isn't there
    └── SecretForbidden   it may be there, but we may not read it
"""

from __future__ import annotations


class PosthumanError(Exception):
    """Base; `str()` is a sentence for a person, `reason` one CamelCase word for a condition."""

    reason = "Error"

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        if reason:
            self.reason = reason


class UserError(PosthumanError):
    """Wrong input; the message says what is wrong, where, and what to do next."""

    reason = "Invalid"


class TransientError(PosthumanError):
    """A fault that may heal: a store, a node or an API server that can't be reached."""

    reason = "Unavailable"


class Conflict(TransientError):
    """The object changed since it was read, or exists already."""

    reason = "Conflict"


class NotFound(PosthumanError):
    """The named object does not exist."""

    reason = "NotFound"


class SecretForbidden(NotFound):
    """The API server doesn't let the operator read this Secret."""

    reason = "SecretForbidden"
