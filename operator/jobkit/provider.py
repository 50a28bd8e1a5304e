"""Ocean's provider as a stage step uses it: which files a service has, and each one's bytes.

Routes and rules: https://github.com/oceanprotocol/provider (`/api/services/fileinfo`, `/download`,
`/nonce`). A nonce counts from the moment a download is admitted, so requests are made one after the
other until their answer begins, and only their bodies come in parallel. Another step of the same
address may come between all the same: with a token this step then takes a higher nonce and asks
again; with signatures made beforehand, nobody else downloads as this address meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, quote_plus

import aiohttp
import msgspec
from yarl import URL

from jobkit.errors import UserFault, WorldFault
from jobkit.http_source import (
    RETRIABLE,
    RETRIED_STATUSES,
    STREAM_BYTES,
    TIMEOUT,
    Retry,
    SourceChanged,
    unavailable,
)
from jobkit.plan import Bought
from jobkit.provider_access import Proof, Proofs, ProviderAccess
from jobkit.uri_guard import shown

STALE_TRIES = 20  # how often others may come between before a step gives up
STALE_PAUSE_SECONDS = 0.2  # at most, between two of these tries
MAX_ANSWER_BYTES = 1024 * 1024  # of what isn't a file
SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
SAID_CHARS = 300  # of a refusal that is quoted


class ProofRefused(WorldFault):
    """What this step was given to prove itself is no good any more; the next step gets more."""


class FileFacts(msgspec.Struct, frozen=True, rename="camel"):
    """One file of a service, as `/fileinfo` tells it."""

    valid: bool = False
    filename: str = ""
    content_length: str | int | None = None

    @property
    def size(self) -> int | None:
        """Bytes, where the file's own server said so."""
        text = str(self.content_length or "")
        return int(text) if text.isdigit() else None


class _Refusal(msgspec.Struct, frozen=True):
    """What a provider says of a request that it refuses."""

    error: Any = ""
    errors: Any = ""


class _Nonce(msgspec.Struct, frozen=True):
    """What `/nonce` answers."""

    nonce: int | float | str | None = None


class Provider:
    """One provider, asked as one consumer."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        access: ProviderAccess,
        retry: Retry,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.url = URL(url.rstrip("/"))
        self.retry = retry
        self._session, self._access, self._now_ns = session, access, now_ns
        self._proofs = Proofs(access, now_ns())
        self._turn = asyncio.Lock()  # one request at a time, until its answer begins

    async def files(self, bought: Bought, user_data: str) -> list[FileFacts]:
        """Every file of the service, in order. Raises UserFault, WorldFault."""
        asked = {"did": bought.did, "serviceId": bought.service_id}
        body = asked | ({"userdata": user_data} if user_data else {})
        failures = 0
        while True:
            try:
                return await self._files(bought, body)
            except RETRIABLE as error:
                failures += 1
                await self.retry.wait_or_give_up(failures, self.url, error)

    async def _files(self, bought: Bought, body: dict[str, str]) -> list[FileFacts]:
        url = self._route("fileinfo")
        async with self._session.post(url, json=body, allow_redirects=False) as answer:
            said = await answer.content.read(MAX_ANSWER_BYTES)
            if answer.status in RETRIED_STATUSES:
                raise WorldFault("SourceUnavailable", f"{shown(url)} answers HTTP {answer.status}")
            if answer.status != 200:
                raise self._refusal(bought, answer.status, said, body.get("userdata", ""))
        try:
            found = msgspec.json.decode(said, type=list[FileFacts])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise WorldFault("SourceUnavailable", f"{shown(url)} is no provider's") from error
        if missing := [index for index, file in enumerate(found) if not file.valid]:
            message = f"the provider can't reach file {missing[0]} of {bought.did} at its source"
            raise WorldFault("SourceUnavailable", message)
        return found

    @asynccontextmanager
    async def download(
        self, bought: Bought, index: int, start: int, user_data: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The file's bytes from `start` on: status 200, 206, or 416 where there are none."""
        answer = await self._admitted(bought, index, start, user_data)
        try:
            yield answer
        finally:
            answer.close()

    async def _admitted(
        self, bought: Bought, index: int, start: int, user_data: str
    ) -> aiohttp.ClientResponse:
        """Again with a higher nonce, as long as others come between."""
        for _ in range(STALE_TRIES):
            async with self._turn:
                answer = await self._ask(bought, index, start, user_data)
                if answer.status in (200, 206) or (start and answer.status == 416):
                    return answer
                said = await self._read_and_close(answer)
                if not _is_about_nonce(answer.status, said):
                    raise self._refusal(bought, answer.status, said, user_data)
                await self._learn_nonce()
            await asyncio.sleep(random.uniform(0, STALE_PAUSE_SECONDS))
        message = (
            f"the provider at {shown(self.url)} refuses every nonce of {self._access.consumer}; "
            "does something else download as this address, or has its token expired?"
        )
        raise ProofRefused("NonceRefused", message)

    async def _ask(
        self, bought: Bought, index: int, start: int, user_data: str
    ) -> aiohttp.ClientResponse:
        proof = self._proofs.next(bought.did, self._now_ns())
        if proof is None:
            message = f"no signature for {bought.did} is left; another attempt brings new ones"
            raise ProofRefused("SignaturesUsedUp", message)
        headers = {"AuthToken": proof.token} if proof.token else {}
        if start:
            headers["Range"] = f"bytes={start}-"
        url = self._route("download").with_query(_query(self._access, bought, index, proof))
        if user_data:
            url = url.update_query({"userdata": user_data})
        return await self._session.get(url, headers=headers, allow_redirects=False)

    async def _learn_nonce(self) -> None:
        """The last one that the provider has seen of this address."""
        url = self._route("nonce").with_query(userAddress=self._access.consumer)
        async with self._session.get(url, allow_redirects=False) as answer:
            said = await answer.content.read(MAX_ANSWER_BYTES)
        try:
            nonce = msgspec.json.decode(said, type=_Nonce).nonce
            self._proofs.raise_floor(int(nonce or 0))
        except (msgspec.MsgspecError, ValueError):
            return  # an older provider, or a busy one: the clock alone has to do

    async def _read_and_close(self, answer: aiohttp.ClientResponse) -> bytes:
        async with answer:
            return await answer.content.read(MAX_ANSWER_BYTES)

    def _route(self, name: str) -> URL:
        return self.url / "api/services" / name

    def _refusal(self, bought: Bought, status: int, said: bytes, user_data: str) -> Exception:
        """What the provider says, without what may be secret in it: a fault of its own comes with
        the whole request."""
        if status in RETRIED_STATUSES:
            message = f"the provider answers HTTP {status} for {bought.did}"
            return WorldFault("SourceUnavailable", message)
        text = SIGNATURE.sub("…", _reason(said))
        for secret in filter(None, (self._access.token, user_data)):
            for form in (secret, quote(secret), quote_plus(secret)):
                text = text.replace(form, "…")
        message = f"the provider refuses {bought.did} (HTTP {status}): {text[:SAID_CHARS]}"
        return UserFault("InputForbidden", message)


class BoughtFile:
    """One file of a service. `has_ranges`: a download that broke off is resumed where it ended."""

    def __init__(self, provider: Provider, bought: Bought, index: int, user_data: str) -> None:
        self.has_ranges = True
        self._provider, self._bought, self._index = provider, bought, index
        self._user_data = user_data

    async def stream(self, size: int | None) -> AsyncGenerator[bytes, None]:
        """All of it; after a fault it goes on from the byte it had reached. Raises Fault."""
        retry, url = self._provider.retry, self._provider.url
        reached = failures = 0
        while True:
            try:
                async for chunk in self._from(reached):
                    reached, failures = reached + len(chunk), 0
                    yield chunk
                if size is None or reached >= size:
                    return
                raise WorldFault("SourceUnavailable", f"it ends early, at {reached} of {size}")
            except (SourceChanged, ProofRefused):
                raise
            except RETRIABLE as error:
                if reached and not self.has_ranges:
                    raise unavailable(url, error) from error
                failures += 1
                await retry.wait_or_give_up(failures, url, error)

    async def _from(self, start: int) -> AsyncGenerator[bytes, None]:
        provider, bought = self._provider, self._bought
        async with provider.download(bought, self._index, start, self._user_data) as answer:
            if start and answer.status == 200:  # the file's own server has no ranges
                raise SourceChanged("SourceChanged", f"{bought.did} can't be resumed")
            if answer.status != 416:
                async for chunk in answer.content.iter_chunked(STREAM_BYTES):
                    yield chunk


@asynccontextmanager
async def open_provider_session() -> AsyncIterator[aiohttp.ClientSession]:
    """For the provider that the environment's admin names: wherever that is, but nowhere else."""
    async with aiohttp.ClientSession(
        timeout=TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    ) as session:
        yield session


def _query(access: ProviderAccess, bought: Bought, index: int, proof: Proof) -> dict[str, str]:
    signed = {"signature": proof.signature} if proof.signature else {}
    return {
        "documentId": bought.did,
        "serviceId": bought.service_id,
        "fileIndex": str(index),
        "transferTxId": bought.tx_id,
        "consumerAddress": access.consumer,
        "nonce": str(proof.nonce),
        **signed,
    }


def _reason(said: bytes) -> str:
    """Of `{"error": …}`, or of a validator's `{"errors": …}`."""
    try:
        told = msgspec.json.decode(said, type=_Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "no reason is given"
    return " ".join(str(told.error or told.errors).split())


def _is_about_nonce(status: int, said: bytes) -> bool:
    """A provider says the same of a wrong signature and of a nonce that others overtook."""
    return status in (400, 401) and b"invalid signature" in said.lower()
