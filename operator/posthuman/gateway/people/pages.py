"""Lists in pages: an order that new objects don't disturb, and where in it a page ends. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from posthuman.errors import UserError

DEFAULT_LIMIT = 50
MAX_LIMIT = 500

Item = TypeVar("Item")
Place = tuple[str, str]


def page_of(
    items: Sequence[Item],
    place: Callable[[Item], Place],
    limit: int,
    after: str = "",
    newest_first: bool = False,
) -> tuple[list[Item], str]:
    """`limit` items that come after the one that `after` names, which may be gone by now, and what
    to ask the next page with. Raises UserError for an `after` that no page gave."""
    ordered = sorted(items, key=place, reverse=newest_first)
    if after:
        seen = _decoded(after)
        ordered = [
            one for one in ordered if (place(one) < seen if newest_first else place(one) > seen)
        ]
    page = ordered[:limit]
    more = len(ordered) > limit
    return page, _encoded(place(page[-1])) if more and page else ""


def _encoded(place: Place) -> str:
    return base64.urlsafe_b64encode("\n".join(place).encode()).decode().rstrip("=")


def _decoded(text: str) -> Place:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        first, separator, second = raw.decode().partition("\n")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise _foreign(text) from error
    if not separator:
        raise _foreign(text)
    return first, second


def _foreign(text: str) -> UserError:
    return UserError(
        f"continue={text[:100]!r} is from no page of ours; begin again without it", "BadContinue"
    )
