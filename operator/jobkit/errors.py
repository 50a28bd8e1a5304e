"""How a step fails: each fault carries the report's reason and whether another attempt can help.

Fault
├── UserFault         the same inputs fail the same way: exit code 2, userError true
└── WorldFault        a store, a server or a disk that may heal: exit code 1
    └── ObjectMissing the store answers, but has no such object
"""

from __future__ import annotations

USER_EXIT_CODE = 2
WORLD_EXIT_CODE = 1


class Fault(Exception):
    """`reason` is one CamelCase word; `str()` is a sentence that says what to do next."""

    user_error = False
    exit_code = WORLD_EXIT_CODE

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UserFault(Fault):
    """Wrong input, or an algorithm that broke a rule."""

    user_error = True
    exit_code = USER_EXIT_CODE


class WorldFault(Fault):
    """The world is not ready; the operator may try the step again."""


class ObjectMissing(WorldFault):
    """No object has this key. Who named the key decides whether that is the user's mistake."""

    def __init__(self, key: str) -> None:
        super().__init__("InputNotFound", f"the store has no object {key!r}")
        self.key = key
