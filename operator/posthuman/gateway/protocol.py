"""HTTP/1.1 as uvicorn speaks it, for clients that may be slow on purpose.

uvicorn limits how long a connection may rest between two requests, but not how long a request line
and headers may take: a few thousand connections that send a byte now and then would hold every
file descriptor. Nor how long an answer waits for a client that doesn't take it: closing such a
connection waits too, so it is aborted here. Bodies have a limit of their own (slow_clients.py).
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 15.0
TAKING_SECONDS = 60.0  # for what is sent at once, at most 128 KiB of a file


class TimelyProtocol(H11Protocol):
    """Closes a connection whose request's head isn't there `header_seconds` after it could begin:
    when the connection was made, or when the first byte of a later request came."""

    header_seconds = HEADER_SECONDS
    taking_seconds = TAKING_SECONDS
    _overdue: asyncio.TimerHandle | None = None
    _untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request is expected from now on."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """A whole head ends the wait; a part of one does not prolong it."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._stop_waiting()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client takes less than we send: it has so long for what is underway."""
        super().pause_writing()
        self._untaken = self.loop.call_later(self.taking_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It took nearly all of it."""
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _expect_head(self) -> None:
        if self._overdue is None:
            self._overdue = self.loop.call_later(self.header_seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
