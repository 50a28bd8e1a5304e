"""Ocean's provider and metadata cache as a small real server, with the provider's rule for nonces.

It answers as provider-py does where a client could tell: a nonce below the last one of its address
is a wrong signature, an equal one is a server error, a token stands for a signature but not for a
nonce, a range's answer has no Content-Range, and the body's length isn't told.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
from aiohttp import web
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

BEFORE = 1_000  # a nonce from long ago
ORDER = "0x" + "0d" * 32


class Sold(msgspec.Struct, frozen=True):
    """The files of one service."""

    service_id: str
    files: dict[str, bytes]


class ProviderServer:
    """See the switches. `downloads`: (fileIndex, Range, nonce) of what was admitted, in order."""

    def __init__(self, has_tokens: bool = True, host: str = "127.0.0.1") -> None:
        self.has_tokens, self.host = has_tokens, host
        self.sold: dict[str, Sold] = {}
        self.ddos: dict[str, dict[str, Any]] = {}
        self.nonces: dict[str, int] = {}
        self.downloads: list[tuple[str, str, int]] = []
        self.refused = 0
        self.user_data: list[str] = []
        self.drop_after_bytes: int | None = None  # cut a body off there, `drops` times
        self.drops = 0
        self.ranges = True
        self.tells_length = True
        self.overtaken_by: list[int] = []  # nonces of somebody else, one before each download
        self.breaks = 0  # so many requests end in a fault of its own, told with the request
        self.port = 0
        self._tokens: dict[str, tuple[str, int]] = {}

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def sell(self, did: str, files: dict[str, bytes], service_id: str = "s0") -> None:
        self.sold[did] = Sold(service_id, files)
        service = {"id": service_id, "type": "compute", "serviceEndpoint": self.url + "/"}
        self.ddos[did] = {"id": did, "services": [service]}

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/api/aquarius/assets/ddo/{did}", self._ddo)
        application.router.add_post("/api/services/fileinfo", self._file_info)
        application.router.add_get("/api/services/nonce", self._nonce)
        application.router.add_get("/api/services/download", self._download)
        if self.has_tokens:
            application.router.add_get("/api/services/createAuthToken", self._create_token)
        return application

    async def _ddo(self, request: web.Request) -> web.Response:
        found = self.ddos.get(request.match_info["did"])
        return web.json_response(found) if found else web.Response(status=404)

    async def _file_info(self, request: web.Request) -> web.Response:
        asked = await request.json()
        sold = self.sold.get(asked["did"])
        if sold is None or sold.service_id != asked["serviceId"]:
            return web.json_response({"error": "Invalid serviceId."}, status=400)
        told = [
            {"index": n, "valid": True, "type": "url", "filename": name, "contentType": "x/y"}
            | {"contentLength": str(len(content)) if self.tells_length else ""}
            for n, (name, content) in enumerate(sold.files.items())
        ]
        return web.json_response(told)

    async def _nonce(self, request: web.Request) -> web.Response:
        return web.json_response({"nonce": self.nonces.get(request.query["userAddress"], 1)})

    async def _create_token(self, request: web.Request) -> web.Response:
        asked = request.query
        if self.breaks:
            return web.json_response({"error": "busy", "context": dict(asked)}, status=503)
        if not self._signed(asked["address"], asked["address"], asked["nonce"], asked["signature"]):
            return self._invalid()
        token = f"token-{len(self._tokens)}-{asked['expiration']}"
        self._tokens[token] = (asked["address"], int(asked["expiration"]))
        return web.json_response({"token": token})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        if self.overtaken_by:
            self.nonces[asked["consumerAddress"]] = self.overtaken_by.pop(0)
        if not self._admitted(request):
            self.refused += 1
            return self._invalid()
        sold = self.sold.get(asked["documentId"])
        if sold is None or sold.service_id != asked["serviceId"] or asked["transferTxId"] != ORDER:
            told = f"Order with tx_id could not be validated: {request.query_string}"
            return web.json_response({"error": told}, status=400)
        nonce = int(asked["nonce"])
        if nonce == self.nonces.get(asked["consumerAddress"]) or self.breaks:
            self.breaks = max(0, self.breaks - 1)
            whole = {"error": "database is locked", "context": dict(asked)}
            return web.json_response(whole, status=503)
        self.nonces[asked["consumerAddress"]] = nonce
        self.downloads.append((asked["fileIndex"], request.headers.get("Range", ""), nonce))
        self.user_data.append(asked.get("userdata", ""))
        return await self._send(request, list(sold.files.values())[int(asked["fileIndex"])])

    def _admitted(self, request: web.Request) -> bool:
        asked = request.query
        consumer, nonce = asked["consumerAddress"], asked["nonce"]
        if "signature" in asked:
            return self._signed(consumer, asked["documentId"], nonce, asked["signature"])
        address, expires = self._tokens.get(request.headers.get("AuthToken", ""), ("", 0))
        valid = address == consumer and expires > time.time()
        return valid and int(nonce) >= self.nonces.get(consumer, 0)

    def _signed(self, address: str, message: str, nonce: str, signature: str) -> bool:
        if int(nonce) < self.nonces.get(address, 0):
            return False
        digest = keccak(text=f"{message}{nonce}")
        signer = Account.recover_message(encode_defunct(digest), signature=signature)
        return bool(signer == address)

    def _invalid(self) -> web.Response:
        told = {"signature": ["Invalid signature provided. Please check the nonce or documentId."]}
        return web.json_response({"error": told}, status=400)

    async def _send(self, request: web.Request, content: bytes) -> web.StreamResponse:
        match = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        ranged = match is not None and self.ranges
        body = content[int(match[1]) :] if match and self.ranges else content
        answer = web.StreamResponse(status=206 if ranged else 200)
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        cut = self.drop_after_bytes
        if cut is not None and self.drops > 0 and len(body) > cut:
            self.drops -= 1
            await answer.write(body[:cut])
            assert request.transport is not None
            request.transport.close()
            return answer
        await answer.write(body)
        return answer


@asynccontextmanager
async def selling(
    has_tokens: bool = True, host: str = "127.0.0.1"
) -> AsyncIterator[ProviderServer]:
    """Serve until the block ends."""
    server = ProviderServer(has_tokens, host)
    runner = web.AppRunner(server.application(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        server.port = cast(int, runner.addresses[0][1])
        yield server
    finally:
        await runner.cleanup()
