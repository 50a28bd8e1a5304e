"""Nonce books: one ConfigMap a (chain, signer) in the operator's namespace, advanced by
compare-and-swap on its resourceVersion."""

from __future__ import annotations

from typing import Protocol

import msgspec

from posthuman.errors import NotFound
from posthuman.kube.client import Body, KubeClient
from posthuman.kube.resources import CONFIG_MAPS
from posthuman.ports import NonceBook

BOOK_KEY = "book.json"


class GapObserver(Protocol):
    """Told how far back the oldest unresolved nonce lies; metrics.py shows it."""

    def nonce_gap(self, chain_id: int, signer: str, gap: int) -> None: ...


class NonceBooks:
    """Reads and writes the books."""

    def __init__(self, client: KubeClient, namespace: str, observer: GapObserver) -> None:
        self._client = client
        self._namespace = namespace
        self._observer = observer

    async def read(self, chain_id: int, signer: str) -> NonceBook:
        """As stored, or an unused one."""
        try:
            body = await self._client.get(CONFIG_MAPS, self._namespace, _name(chain_id, signer))
        except NotFound:
            return NonceBook()
        book = msgspec.json.decode(body["data"][BOOK_KEY], type=NonceBook)
        return msgspec.structs.replace(book, version=body["metadata"]["resourceVersion"])

    async def save(self, chain_id: int, signer: str, book: NonceBook) -> None:
        """Raises Conflict if it isn't the one that was read."""
        body = self._body(_name(chain_id, signer), book)
        if book.version:
            await self._client.replace(CONFIG_MAPS, body)
        else:
            await self._client.create(CONFIG_MAPS, body)
        self._observer.nonce_gap(chain_id, signer, gap(book))

    def _body(self, name: str, book: NonceBook) -> Body:
        version = {"resourceVersion": book.version} if book.version else {}
        content = msgspec.json.encode(msgspec.structs.replace(book, version="")).decode()
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self._namespace, **version},
            "data": {BOOK_KEY: content},
        }


def gap(book: NonceBook) -> int:
    """From the oldest unresolved nonce to the next free one; 0 if all are resolved."""
    return book.next_nonce - min(book.reserved.values(), default=book.next_nonce)


def _name(chain_id: int, signer: str) -> str:
    return f"nonces-{chain_id}-{signer.lower()}"
