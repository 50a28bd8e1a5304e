"""What every route's documentation has in common: refusals, path and query parameters."""

from __future__ import annotations

from typing import Annotated

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter

from posthuman.gateway.people.pages import MAX_LIMIT
from posthuman.gateway.problems import PROBLEM_JSON, ProblemDetails

WORDS = {
    400: "Wrong input; `detail` says what, where, and what to do",
    401: "No credentials, or ones that don't hold",
    403: "You may not",
    404: "There is none, or it isn't yours to see",
    409: "Something else is there already",
    413: "The body is too large",
    416: "The file has none of the bytes that were asked for",
    429: "You ask too often; wait as long as Retry-After says",
    503: "Kubernetes or the store can't be reached; ask again after Retry-After seconds",
}


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """Documented answers that are problems; 400, 429 and 503 can always come."""
    return {
        status: ResponseSpec(
            ProblemDetails,
            generate_examples=False,
            description=WORDS[status],
            media_type=PROBLEM_JSON,
        )
        for status in (400, *statuses, 429, 503)
    }


def raw_answer(description: str, media_type: str = "application/octet-stream") -> ResponseSpec:
    """A documented answer that this API doesn't make itself: a file, or a part of it."""
    return ResponseSpec(
        bytes,
        generate_examples=False,
        description=description,
        media_type=media_type,
    )


JobId = Annotated[
    str,
    PathParameter(
        description="`<namespace>.<name>`, as in `id`",
        examples=[Example(value="bob.bob-trains")],
    ),
]
Limit = Annotated[
    int, QueryParameter(ge=1, le=MAX_LIMIT, description="At most so many of them at once")
]
Continue = Annotated[
    str, QueryParameter(name="continue", description="`continue` of the page before")
]
