"""A buyer's http(s) URI as a source of ranges: no credentials of ours, redirects followed by hand.

Connections come from the guard's resolver, so each redirect and each reconnect is checked anew.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from yarl import URL

from jobkit.errors import UserFault, WorldFault
from jobkit.uri_guard import CheckedResolver, UriGuard, shown

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)
STREAM_BYTES = 1024 * 1024
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=60)
RETRIABLE = (aiohttp.ClientError, TimeoutError, WorldFault)


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How long a source is asked again while it gives nothing."""

    attempts: int = 6
    first_delay_seconds: float = 0.5
    max_delay_seconds: float = 10.0

    async def wait_or_give_up(
        self, failures: int, url: URL, error: Exception, hidden: bool = False
    ) -> None:
        """Back off, twice as long for each failure in a row. Raises WorldFault after the last."""
        if failures >= self.attempts:
            raise unavailable(url, error, hidden) from error
        delay = self.first_delay_seconds * 2 ** (failures - 1)
        await asyncio.sleep(min(delay, self.max_delay_seconds))


PATIENT = Retry()


@asynccontextmanager
async def open_session(guard: UriGuard) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no cookies, uses no proxy, and connects to checked addresses alone."""
    connector = aiohttp.TCPConnector(resolver=CheckedResolver(guard), use_dns_cache=False)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    ) as session:
        yield session


class SourceChanged(WorldFault):
    """The file was replaced while it was downloaded: its parts don't belong together."""


class HttpSource:
    """One file behind a URL that was probed: its final address, and what the server said of it.
    `hidden`: nobody may read the URL's path in a message."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        said: Probed,
        retry: Retry,
        hidden: bool = False,
    ) -> None:
        self.url, self.size, self.has_ranges = url, said.size, said.has_ranges
        self._session, self._validator, self._retry = session, said.validator, retry
        self._hidden = hidden

    async def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end); after a fault it goes on from the byte it had reached."""
        buffer = bytearray()
        failures = 0
        while len(buffer) < end - start:
            reached = len(buffer)
            try:
                await self._append(buffer, start + reached, end)
            except SourceChanged:
                raise
            except RETRIABLE as error:
                failures = 1 if len(buffer) > reached else failures + 1
                await self._retry.wait_or_give_up(failures, self.url, error, self._hidden)
        return bytes(buffer)

    async def _append(self, buffer: bytearray, start: int, end: int) -> None:
        headers = {"Range": f"bytes={start}-{end - 1}"}
        if self._validator:
            headers["If-Range"] = self._validator
        async with self._session.get(self.url, headers=headers, allow_redirects=False) as answer:
            check_status(answer, self._hidden)
            if answer.status != 206 or content_range(answer)[0] != start:
                where = shown(self.url, self._hidden)
                raise SourceChanged("SourceChanged", f"{where} changed meanwhile")
            room = end - start
            async for chunk in answer.content.iter_chunked(STREAM_BYTES):
                buffer += chunk[:room]
                room -= min(len(chunk), room)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """All of it, once, from a server without ranges. Raises WorldFault on any fault."""
        try:
            async with self._session.get(self.url, allow_redirects=False) as answer:
                check_status(answer, self._hidden)
                async for chunk in answer.content.iter_chunked(STREAM_BYTES):
                    yield chunk
        except RETRIABLE as error:
            raise unavailable(self.url, error, self._hidden) from error


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of a file. `validator`: the ETag or date that names this version."""

    size: int | None
    has_ranges: bool = False
    validator: str = ""


async def open_uri(
    session: aiohttp.ClientSession, guard: UriGuard, uri: str, retry: Retry, hidden: bool = False
) -> HttpSource:
    """Follow redirects (at most five, each checked) to the file. Raises Fault."""
    url = await guard.admit(URL(uri), hidden)
    for _ in range(MAX_REDIRECTS + 1):
        target, said = await _probe_with_retries(session, url, retry, hidden)
        if said is not None:
            return HttpSource(session, url, said, retry, hidden)
        url = await guard.admit(target, hidden)
    where = shown(URL(uri), hidden)
    raise UserFault("TooManyRedirects", f"{where} redirects more than {MAX_REDIRECTS} times")


async def _probe_with_retries(
    session: aiohttp.ClientSession, url: URL, retry: Retry, hidden: bool
) -> tuple[URL, Probed | None]:
    failures = 0
    while True:
        try:
            return await _probe(session, url, hidden)
        except RETRIABLE as error:
            failures += 1
            await retry.wait_or_give_up(failures, url, error, hidden)


async def _probe(
    session: aiohttp.ClientSession, url: URL, hidden: bool
) -> tuple[URL, Probed | None]:
    """Ask for the first byte: where to go on, or what the file is."""
    async with session.get(url, headers={"Range": "bytes=0-0"}, allow_redirects=False) as answer:
        if answer.status in REDIRECTS:
            return url.join(URL(answer.headers.get("Location", ""))), None
        if answer.status == 416:  # nothing to ask a range of
            return url, Probed(size=0, has_ranges=True)
        check_status(answer, hidden)
        _, total = content_range(answer)
        if answer.status == 206 and total is not None:
            return url, Probed(size=total, has_ranges=True, validator=_validator(answer))
        return url, Probed(size=answer.content_length if answer.status == 200 else None)


def _validator(answer: aiohttp.ClientResponse) -> str:
    """A strong ETag, or the date; weak tags can't guard a range."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def content_range(answer: aiohttp.ClientResponse) -> tuple[int | None, int | None]:
    """The first byte's position and the file's size, of `bytes 0-99/1234`."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    return (int(match[1]), int(match[2])) if match else (None, None)


def check_status(answer: aiohttp.ClientResponse, hidden: bool = False) -> None:
    """Raises UserFault for what stays so, WorldFault for what may pass."""
    status, where = answer.status, shown(answer.url, hidden)
    if status < 300:
        return
    if status in (404, 410):
        raise UserFault("InputNotFound", f"{where} does not exist (HTTP {status})")
    if status in RETRIED_STATUSES:
        raise WorldFault("SourceUnavailable", f"{where} answers HTTP {status}")
    hint = "; has a signed URL expired?" if status in (400, 401, 403) else ""
    raise UserFault("InputForbidden", f"{where} can't be read: HTTP {status}{hint}")


def unavailable(url: URL, error: BaseException, hidden: bool = False) -> WorldFault:
    """A source that gave nothing for too long."""
    said = str(error) or type(error).__name__
    return WorldFault("SourceUnavailable", f"can't download {shown(url, hidden)}: {said}")
