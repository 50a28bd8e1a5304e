"""Ocean's provider and metadata cache as an environment's Provider (chain_ports.py).

Routes: https://github.com/oceanprotocol/provider (`/api/services/createAuthToken`, `/nonce`) and
https://github.com/oceanprotocol/aquarius (`/api/aquarius/assets/ddo/<did>`). Answers are a
stranger's: each is read up to a size, and parsed or refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp
import msgspec
from eth_account.signers.local import LocalAccount
from yarl import URL

from jobkit.nesting import is_shallow
from jobkit.provider_access import ProviderAccess
from posthuman.api.environment import ChainSpec
from posthuman.chain_ports import ChainReader
from posthuman.errors import NotFound, TransientError, UserError
from posthuman.provider.signing import signed, tickets_for

TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=10)
MAX_DDO_BYTES = 256 * 1024  # the plan holds it
MAX_SHORT_BYTES = 64 * 1024
DDO_SECONDS = 30.0  # a DDO is asked for again after that
TOKEN_SECONDS = 12 * 3600  # longer than a step waits for its pod and downloads
WITHOUT_TOKENS = (404, 405)  # providers from before they had them


class _Token(msgspec.Struct, frozen=True):
    token: str


class _Nonce(msgspec.Struct, frozen=True):
    nonce: int | float | str | None = None


A = TypeVar("A", _Token, _Nonce)


class OceanProvider:
    """See chain_ports.Provider. Keeps what it read of DDOs for a moment, and nothing else."""

    def __init__(
        self,
        chain: ChainSpec,
        consumer: LocalAccount,
        reader: ChainReader,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._chain, self._consumer, self._reader = chain, consumer, reader
        self._now_ns = now_ns
        self._ddos: dict[str, tuple[float, dict[str, Any]]] = {}

    @property
    def consumer(self) -> str:
        """See chain_ports.Provider."""
        return str(self._consumer.address)

    async def ddo(self, did: str) -> dict[str, Any]:
        """From the metadata cache; without one from the chain, if it stands there in clear."""
        known = self._ddos.get(did)
        now = self._now_ns() / 1e9
        if known and now - known[0] < DDO_SECONDS:
            return known[1]
        read = self._from_cache if self._chain.metadata_url else self._from_chain
        found = _parsed(did, await read(did))
        self._ddos[did] = (now, found)
        return found

    async def token(self) -> ProviderAccess | None:
        """Signed for now, as a provider refuses a nonce below the last."""
        address, nonce = self._consumer.address, await self._fresh_nonce()
        query = {
            "address": address,
            "expiration": str(self._now_ns() // 10**9 + TOKEN_SECONDS),
            "nonce": str(nonce),
            "signature": signed(self._consumer, f"{address}{nonce}"),
        }
        status, said = await self._get(self._route("createAuthToken"), query)
        if status in WITHOUT_TOKENS:
            return None
        if status != 200:  # maybe for a nonce that a download overtook: another one may do.
            # What it says is told nobody: it may repeat the request, signature and all.
            raise TransientError(f"the provider gives no token: HTTP {status}", "ProviderRefused")
        token = _decoded(said, _Token, "createAuthToken").token
        return ProviderAccess(consumer=address, token=token)

    async def tickets(self, dids: Sequence[str]) -> ProviderAccess:
        """In a thread: signing a few hundred times takes a while."""
        nonce = await self._fresh_nonce()
        made = await asyncio.to_thread(tickets_for, self._consumer, tuple(dids), nonce)
        return ProviderAccess(consumer=self._consumer.address, tickets=made)

    async def _fresh_nonce(self) -> int:
        """Above the clock and above what the provider has seen of the address."""
        query = {"userAddress": self._consumer.address}
        status, said = await self._get(self._route("nonce"), query)
        if status != 200:
            return self._now_ns()
        try:
            last = int(_decoded(said, _Nonce, "nonce").nonce or 0)
        except ValueError:
            last = 0
        return max(self._now_ns(), last + 1)

    async def _from_cache(self, did: str) -> bytes:
        url = URL(self._chain.metadata_url.rstrip("/")) / "api/aquarius/assets/ddo" / did
        status, said = await self._get(url, {})
        if status == 404:
            raise NotFound(f"{self._chain.metadata_url} knows no {did}", "AssetNotFound")
        if status != 200:
            raise TransientError(
                f"the metadata cache {self._chain.metadata_url} answers HTTP {status}",
                "MetadataUnreachable",
            )
        return said

    async def _from_chain(self, did: str) -> bytes:
        creation = await self._reader.creation(did)
        found = await self._reader.current_ddo(creation) if creation else None
        if found is None:
            raise NotFound(f"the chain knows no {did}", "AssetNotFound")
        if not found.content:
            raise UserError(
                f"the metadata of {did} is encrypted on chain; the environment's admin can name a "
                "metadata cache in spec.chain.metadataUrl",
                "MetadataUnreadable",
            )
        return found.content

    async def _get(self, url: URL, query: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and content, up to what a DDO may have. Raises TransientError."""
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT) as session,
                session.get(url, params=query, allow_redirects=False) as answer,
            ):
                return answer.status, await _read(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            where = f"{url.scheme}://{url.host}"  # the query holds a signature
            raise TransientError(
                f"{where} can't be reached: {type(error).__name__}", "ProviderUnreachable"
            ) from None

    def _route(self, name: str) -> URL:
        return URL(self._chain.provider_url.rstrip("/")) / "api/services" / name


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """At most one byte more than a DDO may have, which `_parsed` refuses."""
    said = bytearray()
    async for chunk in answer.content.iter_chunked(MAX_SHORT_BYTES):
        said += chunk
        if len(said) > MAX_DDO_BYTES:
            break
    return bytes(said[: MAX_DDO_BYTES + 1])


def _parsed(did: str, raw: bytes) -> dict[str, Any]:
    """Raises UserError for what is no DDO of this asset."""
    if len(raw) > MAX_DDO_BYTES:
        raise UserError(f"the DDO of {did} has more than {MAX_DDO_BYTES} bytes", "MetadataInvalid")
    found = _object(raw)
    if found is None or found.get("id") != did:
        raise UserError(f"what is told of {did} is no DDO of it", "MetadataInvalid")
    return found


def _object(raw: bytes) -> dict[str, Any] | None:
    text = raw.decode(errors="replace")
    if not is_shallow(text):
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


def _decoded(said: bytes, kind: type[A], route: str) -> A:
    try:
        return msgspec.json.decode(said, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = f"the provider's answer to {route} can't be read"
        raise TransientError(message, "ProviderUnreachable") from error
