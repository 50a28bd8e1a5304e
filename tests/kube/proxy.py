"""A TCP proxy that can go silent without closing anything, as a broken network does.

On a thread and an event loop of its own: Kopf ends every task of its loop when it ends itself.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType


class Proxy:
    """Passes bytes on, until it is frozen; what comes while it is frozen is lost."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._frozen = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self.port = 0

    def __enter__(self) -> Proxy:
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self.port = listening.result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def freeze(self) -> None:
        """No byte passes; nobody is told."""
        self._frozen = True

    def thaw(self) -> None:
        """Bytes pass again on new connections; old ones, which have lost some, are cut."""
        self._frozen = False
        self._loop.call_soon_threadsafe(self._cut)

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _end(self) -> None:
        self._server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        self._cut()
        await asyncio.gather(*serving, return_exceptions=True)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, up_writer}
        try:
            await asyncio.gather(self._pass(reader, up_writer), self._pass(up_reader, writer))
        except ConnectionError:
            return  # one side went; the other goes below
        finally:
            self._writers -= {writer, up_writer}
            up_writer.close()
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while content := await reader.read(65536):
            if not self._frozen:
                writer.write(content)
                await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
