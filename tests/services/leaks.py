"""Finds a secret in whatever was written, in each form that it may have taken on the way."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote


class Leak(NamedTuple):
    """Where a secret was found; never the secret itself."""

    secret: str
    form: str
    place: str


def leaks(written: Iterable[tuple[str, bytes]], secrets: Mapping[str, bytes]) -> list[Leak]:
    """Of (place, content) pairs; `secrets` by name, as raw bytes (a key) or text (a password)."""
    wanted = [(name, *form) for name, secret in secrets.items() for form in _forms(secret)]
    return [
        Leak(name, form, place)
        for place, content in written
        for name, form, needle, folded in wanted
        if needle in (content.lower() if folded else content)
    ]


def _forms(secret: bytes) -> list[tuple[str, bytes, bool]]:
    """(form, bytes to look for, whether in any case)."""
    digits = secret.hex().encode()
    forms = [("itself", secret, False), ("hex", digits, True)]
    forms += [("base64", part, False) for part in _base64(secret)]
    forms += [("base64 of hex", part, False) for case in _cases(digits) for part in _base64(case)]
    forms += [("quoted", quote(secret, safe="").encode(), False)]
    forms += [("a list of numbers", ",".join(map(str, secret)).encode(), False)]
    forms += [("a spaced list of numbers", ", ".join(map(str, secret)).encode(), False)]
    return list(dict.fromkeys(forms))


def _cases(digits: bytes) -> list[bytes]:
    return [digits, digits.upper()]


def _base64(content: bytes) -> list[bytes]:
    """As it reads in the middle of something longer, at each of the three offsets, and with the
    alphabet of URLs too."""
    parts = []
    for before in range(3):
        whole = base64.b64encode(bytes(before) + content)
        first = -(-before * 8 // 6) if before else 0
        last = (before + len(content)) * 8 // 6
        parts.append(whole[first:last])
    return parts + [part.replace(b"+", b"-").replace(b"/", b"_") for part in parts]
