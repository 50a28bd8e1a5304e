"""A real HTTP server that answers as Web3Signer does, with a key that only it has.

Web3Signer's forms: one request a body, the raw bytes as a string, typed data as a text, errors as
JSON-RPC has them. `before` and `after` may raise, as a network that fails on the way there or back;
`twist` changes what is asked before it is signed, as a signer that can't be trusted.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from web3 import AsyncWeb3

API_KEY = "c0ffee11c0ffee22c0ffee33"
NO_ACCOUNT = {"code": -32000, "message": "From address does not match any available account"}


ASKED: Any = object()


class Cut(Exception):
    """The connection goes down."""


class RemoteSigner:
    """What it was asked, and how it behaves."""

    def __init__(self, account: LocalAccount, chain_id: int) -> None:
        self._account = account
        self._chain_id = chain_id
        self.asked: list[tuple[str, list[Any]]] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.twist: Callable[[dict[str, Any]], dict[str, Any]] = lambda call: call
        self.refuses: Callable[[dict[str, Any]], bool] = lambda call: False
        self.takes_any = False  # signs in whosever name
        self.result: object = ASKED  # answered instead of a signature
        self.status = 200
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """One JSON-RPC request."""
        body = await request.json()
        self.asked.append((body["method"], body["params"]))
        if self.status != 200:
            return web.Response(status=self.status, text="out of order")
        try:
            self.before()
            said = self._said(body["method"], body["params"])
            self.after()
        except Cut:
            assert request.transport is not None
            request.transport.abort()
            raise
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], **said})

    def _said(self, method: str, params: list[Any]) -> dict[str, Any]:
        if self.result is not ASKED:
            return {"result": self.result}
        match method:
            case "eth_accounts":
                return {"result": [self._account.address.lower()]}
            case "eth_signTransaction":
                return self._signed(params[0])
            case "eth_signTypedData" if isinstance(params[1], str):
                if not self._is_mine(params[0]):
                    return {"error": NO_ACCOUNT}
                message = encode_typed_data(full_message=json.loads(params[1]))
                return {"result": AsyncWeb3.to_hex(self._account.sign_message(message).signature)}
            case _:
                return {"error": {"code": -32601, "message": f"Method not found: {method}"}}

    def _is_mine(self, address: str) -> bool:
        return self.takes_any or address.lower() == self._account.address.lower()

    def _signed(self, call: dict[str, Any]) -> dict[str, Any]:
        if not self._is_mine(call["from"]):
            return {"error": NO_ACCOUNT}
        if self.refuses(call):
            return {"error": {"code": -32000, "message": "Rejected by policy, see https://a/k3y"}}
        unsigned = {name: value for name, value in call.items() if name != "from"}
        signed = self._account.sign_transaction(self.twist({"chainId": self._chain_id, **unsigned}))
        return {"result": AsyncWeb3.to_hex(signed.raw_transaction)}


@asynccontextmanager
async def remote_signer(account: LocalAccount, chain_id: int) -> AsyncIterator[RemoteSigner]:
    """Running, at a URL with an API key in its path."""
    signer = RemoteSigner(account, chain_id)
    app = web.Application()
    app.router.add_post(f"/{API_KEY}", signer.answer)
    server = TestServer(app)
    await server.start_server()
    signer.url = str(server.make_url(f"/{API_KEY}"))
    try:
        yield signer
    finally:
        await server.close()
