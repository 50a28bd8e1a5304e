"""Are the watches alive? Told by what arrives on each of them.

Kopf keeps one stream a kind. One can die without an error: a proxy that forgets a connection, a
load balancer that goes silent. The API server sends a bookmark on every watch about once a minute,
even when nothing changes, so each stream says something at least that often; Kopf opens a stream
that was silent for `inactivity` anew. Here the bytes of each stream are noticed, as the one session
that Kopf is given delivers them: if none came for `dead_after`, reconnecting hasn't helped either,
and the operator's liveness probe fails.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, cast

import aiohttp


class SignsOfLife:
    """When each kind's stream last brought something, and when each was listed anew."""

    def __init__(
        self,
        plurals: Iterable[str],
        on_list: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._on_list = on_list
        self._heard: dict[str, float] = dict.fromkeys(plurals, monotonic())
        self._opened: set[str] = set()

    def opened(self, plural: str, watching: bool) -> None:
        """A request was answered; a list that isn't a watch means that Kopf starts over."""
        if plural not in self._heard:
            return
        if watching:
            self._opened.add(plural)
        else:
            self._on_list(plural)

    def heard(self, plural: str) -> None:
        """Bytes came."""
        if plural in self._heard:
            self._heard[plural] = self._monotonic()

    def silence_seconds(self) -> dict[str, float]:
        """For how long each stream has brought nothing."""
        now = self._monotonic()
        return {plural: now - at for plural, at in self._heard.items()}

    @property
    def all_open(self) -> bool:
        """Every kind is being watched, or was."""
        return self._opened == self._heard.keys()


class _ObservedStream:
    """A response's content, with a look at what passes."""

    def __init__(self, stream: aiohttp.StreamReader, heard: Callable[[], None]) -> None:
        self._stream = stream
        self._heard = heard

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for chunk in self._stream.iter_chunked(size):
            self._heard()
            yield chunk
        self._heard()  # the server ended the stream in good order

    async def read(self, size: int = -1) -> bytes:
        content = await self._stream.read(size)
        self._heard()
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def observing(signs: SignsOfLife) -> type[aiohttp.ClientResponse]:
    """A class of responses that report to `signs`; for aiohttp's `response_class`."""

    class ObservedResponse(aiohttp.ClientResponse):
        """An answer of the API server to Kopf."""

        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            await super().start(connection)
            plural = self.url.path.rsplit("/", 1)[-1]
            if self.status == 200:
                signs.opened(plural, self.url.query.get("watch") == "true")
            observed = _ObservedStream(self.content, lambda: signs.heard(plural))
            self.content = cast(aiohttp.StreamReader, observed)
            return self

    return ObservedResponse
