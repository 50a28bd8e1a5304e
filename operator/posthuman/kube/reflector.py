"""One kind in one namespace, kept as a shelf: listed once, then watched.

The gateway's own: it sees few kinds, needs no handlers, and starts over with a list whenever a
watch ends in an error. What the API server sends about once a minute, if only a bookmark, tells
that the stream is alive; a silent one is opened anew.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec

from posthuman.errors import PosthumanError, TransientError
from posthuman.kube.cache import Object, Shelf
from posthuman.kube.client import KubeClient
from posthuman.kube.resources import Resource

logger = logging.getLogger(__name__)

SERVER_SECONDS = "300"  # the server ends a stream after this
IDLE_SECONDS = 100.0  # bookmarks come about every 60 s
RETRY_SECONDS = 1.0
EXPIRED = 410  # the resourceVersion is too old to go on from

T = TypeVar("T", bound=Object)


class Reflector(Generic[T]):
    """Keeps `shelf` as the API server has it. `namespace` empty: of all, or cluster-scoped."""

    def __init__(
        self, client: KubeClient, resource: Resource, namespace: str, shelf: Shelf[T]
    ) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self.shelf = shelf
        self.filled = False
        self._heard_at = time.monotonic()

    @property
    def silence_seconds(self) -> float:
        """Since anything came."""
        return time.monotonic() - self._heard_at

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._follow(await self._list())
            except PosthumanError as error:
                place = f"{self._resource.plural} in {self._namespace or 'all namespaces'}"
                logger.warning("the watch of %s begins anew: %s", place, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _list(self) -> str:
        """Take in the whole list; its resourceVersion."""
        found = await self._client.list(self._resource, self._namespace)
        version: str = found["metadata"]["resourceVersion"]
        for body in found["items"]:
            self.shelf.apply(body)
        self.shelf.keep_only(found["items"], version)
        self.filled, self._heard_at = True, time.monotonic()
        return version

    async def _follow(self, version: str) -> None:
        """Until the server says that the version is too old, or an error comes."""
        while version:
            version = await self._watch(version)

    async def _watch(self, version: str) -> str:
        """One stream; the version to go on from, empty where that is a list's."""
        params = {
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": SERVER_SECONDS,
        }
        stream = self._client.stream_watch(self._resource, self._namespace, params, IDLE_SECONDS)
        async with stream as content:
            async for line in _lines(content):
                self._heard_at = time.monotonic()
                event: dict[str, Any] = msgspec.json.decode(line)
                if event["type"] == "ERROR":
                    return self._refused(event["object"])
                version = self._take(event)
        return version

    def _take(self, event: dict[str, Any]) -> str:
        body = event["object"]
        if event["type"] != "BOOKMARK":
            self.shelf.apply(body)
        if event["type"] == "DELETED":
            self.shelf.discard(body)
        version: str = body["metadata"]["resourceVersion"]
        return version

    def _refused(self, status: dict[str, Any]) -> str:
        if status.get("code") == EXPIRED:
            return ""
        raise TransientError(str(status.get("message") or status), "WatchEnded")


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    rest: list[bytes] = []
    async for chunk in stream.iter_any():
        first, *others = chunk.split(b"\n")
        rest.append(first)
        for other in others:
            if line := b"".join(rest):
                yield line
            rest = [other]
