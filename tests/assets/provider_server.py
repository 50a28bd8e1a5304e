"""A provider's encryption as Ocean's does it, over real HTTP: `/api/services/encrypt`.

Its routes, answers and order of packing are those of ocean_provider/routes/{encrypt,decrypt}.py;
its cipher is any one that is other each time; it decrypts for the test alone, unasked who it is.
"""

from __future__ import annotations

import hashlib
import lzma
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

NONCE_BYTES = 16


class ProviderServer:
    """Running; `faults` are answered first, one a request."""

    def __init__(self) -> None:
        self.url = ""
        self.faults: list[tuple[int, str]] = []
        self.asked: list[tuple[str, bytes]] = []  # chain and content
        self._key = secrets.token_bytes(32)

    async def encrypt(self, request: web.Request) -> web.Response:
        """201 and hex, with 0x."""
        if request.content_type != "application/octet-stream":
            return web.json_response({"error": "Invalid request content type"}, status=400)
        chain_id = request.query.get("chainId", "")
        if chain_id != "8996":
            return web.json_response({"error": f"Unsupported chain ID {chain_id}"}, status=400)
        if self.faults:
            status, said = self.faults.pop(0)
            return web.Response(text=said, status=status)
        content = await request.read()
        self.asked.append((chain_id, content))
        nonce = secrets.token_bytes(NONCE_BYTES)
        return web.Response(text="0x" + (nonce + self._mixed(nonce, content)).hex(), status=201)

    def decrypt(self, data: bytes) -> bytes:
        """What was encrypted here."""
        return self._mixed(data[:NONCE_BYTES], data[NONCE_BYTES:])

    def document(self, data: bytes, flags: int, digest: str) -> bytes:
        """As the provider reads a DDO from the chain; AssertionError where its checksum differs."""
        found = self.decrypt(data) if flags & 2 else data
        found = lzma.decompress(found) if flags & 1 else found
        assert hashlib.sha256(found).hexdigest() == digest
        return found

    def _mixed(self, nonce: bytes, content: bytes) -> bytes:
        blocks = range(len(content) // 32 + 1)
        stream = b"".join(
            hashlib.sha256(self._key + nonce + block.to_bytes(4)).digest() for block in blocks
        )
        return bytes(a ^ b for a, b in zip(content, stream, strict=False))


@asynccontextmanager
async def provider_server() -> AsyncIterator[ProviderServer]:
    """On a free port."""
    server, app = ProviderServer(), web.Application()
    app.router.add_post("/api/services/encrypt", server.encrypt)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
