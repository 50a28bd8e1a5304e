"""Answers that refuse a caller, 401 and 429: what is missing, and how to bring it."""

from __future__ import annotations

import math

from posthuman.gateway.problems import Problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="posthuman", Wallet realm="posthuman"'}


def unauthenticated(message: str, reason: str = "Unauthenticated") -> Problem:
    """A Problem to raise."""
    return Problem(401, message, CHALLENGE, reason)


def too_many(message: str, wait_seconds: float) -> Problem:
    """A Problem to raise; clients wait as long as it says."""
    seconds = max(1, math.ceil(wait_seconds))
    headers = {"Retry-After": str(seconds)}
    return Problem(429, f"{message}; wait {seconds} s", headers, "TooManyRequests")
