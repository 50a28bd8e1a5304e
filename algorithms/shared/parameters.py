"""Parameters: read from JSON into a typed struct; each mistake is named, with a suggestion."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from algorithms.shared.failures import BadParameter

Seed = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1, description="Of every random choice.")]

LONGEST_VALUE = 60  # characters of a wrong value that are quoted


class Parameters(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """Base of an algorithm's parameters: camel case in JSON, unknown names refused."""


P = TypeVar("P", bound=Parameters)


def read_parameters(raw: object, kind: type[P]) -> P:
    """Raises BadParameter, which names the parameter and what it should be."""
    if not isinstance(raw, Mapping):
        raise BadParameter('The parameters must be one JSON object, such as {"seed": 1}.')
    _refuse_unknown_names(raw, kind)
    _refuse_unwritable(raw)
    try:
        return msgspec.convert(dict(raw), kind)
    except msgspec.ValidationError as error:
        raise BadParameter(_sentence(str(error), raw, kind)) from error


def wire_names(kind: type[Parameters]) -> list[str]:
    """The names as they are written in JSON."""
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def json_schema(kind: type[Parameters], algorithm: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of the parameters, with their defaults."""
    (_,), components = msgspec.json.schema_components([kind])
    dialect = "https://json-schema.org/draft/2020-12/schema"
    body = {**components[kind.__name__], "title": f"Parameters of {algorithm}"}
    return {"$schema": dialect, **body}


def _refuse_unknown_names(raw: Mapping[str, Any], kind: type[Parameters]) -> None:
    known = wire_names(kind)
    for name in raw:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(known)}."
            raise BadParameter(f"There is no parameter {name}. {hint}")


def _refuse_unwritable(raw: Mapping[str, Any]) -> None:
    """Python reads Infinity and 1e999 as numbers, and half a character (a lone surrogate) as text:
    no report could be written with them."""
    for name, value in raw.items():
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BadParameter(f"Parameter {name} holds text that is no UTF-8.") from None
        except ValueError:
            raise BadParameter(f"Parameter {name} holds a number that is not finite.") from None


def _sentence(problem: str, raw: Mapping[str, Any], kind: type[Parameters]) -> str:
    """msgspec's ``Expected `int` >= 1 - at `$.steps``` as "Parameter steps is 0: expected …"."""
    expected, _, path = problem.partition(" - at ")
    name = path.strip("`").removeprefix("$.").partition("[")[0]
    given = repr(raw.get(name))
    shown = given if len(given) <= LONGEST_VALUE else given[:LONGEST_VALUE] + "…"
    choices = json_schema(kind, "")["properties"].get(name, {}).get("enum")
    wanted = (
        f"Expected one of {', '.join(map(str, choices))}" if choices else expected.replace("`", "")
    )
    return f"Parameter {name} is {shown}: {wanted[:1].lower()}{wanted[1:]}."
