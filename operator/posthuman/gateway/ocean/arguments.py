"""What a request says: its query string where there is one, else its JSON body, GET included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from posthuman.gateway.problems import Problem

Arguments = Mapping[str, Any]
AnyRequest = Request[Any, Any, Any]

EMPTY = "payload seems empty."
SHORTEST = 2  # characters; upstream takes what is shorter for absent


async def arguments_of(request: AnyRequest) -> Arguments:
    """An empty mapping where nothing is said. Raises Problem for a body that is no JSON object."""
    query = request.scope.get("query_string", b"")
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        found.setdefault(name, value)
    return found or _object(await request.body())


def _object(body: bytes) -> Arguments:
    if not body.strip():
        return {}
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Problem(400, f"the body is no JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise Problem(400, EMPTY)
    return decoded


def require(names: Sequence[str], arguments: Arguments, call: str) -> None:
    """Raises Problem with upstream's words; `call` like POST:/compute."""
    if not arguments:
        raise Problem(400, EMPTY)
    for name in names:
        if name not in arguments:
            raise Problem(400, f'"{name}" is required in the call to {call}')


def text(arguments: Arguments, name: str) -> str:
    """Empty where it is absent, null or too short. Raises Problem for what is no text."""
    value = arguments.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Problem(400, f"`{name}` must be a text")
    return value if len(value) >= SHORTEST else ""


def chain_number(arguments: Arguments) -> int | None:
    """A number in POST, its digits in a query; None where it isn't said. Raises Problem."""
    value = arguments.get("chainId")
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    raise Problem(400, "`chainId` must be a whole number")
