"""A client that stops in the middle of sending or taking bytes is let go, so that a thousand of
them hold nothing. One that sends no whole head is protocol.py's matter."""

from __future__ import annotations

import asyncio

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, ReceiveMessage, Scope, Send

from posthuman.gateway.problems import Problem


class SlowClients(ASGIMiddleware):
    """Limits on the time between two pieces. A download may take hours on the whole; a body, which
    is small, may not."""

    scopes = (ScopeType.HTTP,)

    def __init__(
        self, idle_receive_seconds: float, idle_send_seconds: float, body_seconds: float
    ) -> None:
        self._body_seconds = body_seconds
        self._idle_receive_seconds = idle_receive_seconds
        self._idle_send_seconds = idle_send_seconds

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Hold both directions to their limits."""
        body_complete = False
        now = asyncio.get_running_loop().time
        body_due = now() + self._body_seconds

        async def timely_receive() -> ReceiveMessage:
            nonlocal body_complete
            if body_complete:  # what comes now is only that the client has gone
                return await receive()
            try:
                due = min(body_due, now() + self._idle_receive_seconds)
                async with asyncio.timeout_at(due):
                    message = await receive()
            except TimeoutError as error:
                raise Problem(408, "the request's body did not come in time") from error
            body_complete = not message.get("more_body", False)
            return message

        async def timely_send(message: Message) -> None:
            async with asyncio.timeout(self._idle_send_seconds):
                await send(message)

        await next_app(scope, timely_receive, timely_send)
