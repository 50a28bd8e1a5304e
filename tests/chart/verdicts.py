"""What a real API server says to an attempt."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from kubernetes.client.exceptions import ApiException

IN_FORCE_WITHIN_SECONDS = 60


def message(error: ApiException) -> str:
    """What the server says."""
    said: str = json.loads(error.body or "{}")["message"]
    return said


def refusal(attempt: Callable[[], object]) -> str:
    """The server's words; a test fails if it has none."""
    with pytest.raises(ApiException) as refused:
        attempt()
    return message(refused.value)


def wait_until_refused(attempt: Callable[[], object]) -> None:
    """A policy takes hold a moment after it is stored."""
    deadline = time.monotonic() + IN_FORCE_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            attempt()
        except ApiException as error:
            assert "ValidatingAdmissionPolicy" in message(error), message(error)
            return
        time.sleep(0.1)
    pytest.fail(f"a policy isn't in force after {IN_FORCE_WITHIN_SECONDS} s")
