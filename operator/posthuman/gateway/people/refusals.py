"""Answers that refuse a caller, 401 and 429: what is missing, and how to bring it."""

from __future__ import annotations

from posthuman.gateway.problems import Problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="posthuman", Wallet realm="posthuman"'}


def unauthenticated(message: str, reason: str = "Unauthenticated") -> Problem:
    """A Problem to raise."""
    return Problem(401, message, CHALLENGE, reason)
