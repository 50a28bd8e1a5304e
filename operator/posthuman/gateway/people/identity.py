"""Who sends this request: the Authorization header, believed only after it was checked.

A bearer token is asked about at Kubernetes (TokenReview), and the answer is believed for a minute:
a token that is taken back is good for so long. A wallet's signature holds for the one request, or,
as a pass, for reads. Failures are limited by the network address that they come from, since a
signature costs more to check than to make up.
"""

from __future__ import annotations

import hashlib
from typing import Any

from litestar import Request

from posthuman.gateway.nonces import SignedRequest
from posthuman.gateway.people.callers import Caller, Wallet
from posthuman.gateway.people.refusals import unauthenticated
from posthuman.gateway.people.remembered import Remembered
from posthuman.gateway.people.wallet_text import SCHEME, Asked, Proof
from posthuman.gateway.people.wallets import parse_proof, review_pass, review_signature
from posthuman.gateway.ports import Person
from posthuman.gateway.problems import Problem, too_many
from posthuman.gateway.rates import Buckets
from posthuman.gateway.service import Gateway

TOKEN_SECONDS = 60.0
PASS_MEMORY_SECONDS = 300.0
FAILURES_PER_SECOND, FAILURES_BURST = 20.0, 100  # of one network address
READS = frozenset({"GET", "HEAD"})
NOBODY = (
    "this needs to know who you are: a Kubernetes bearer token, or a wallet's signature; "
    "/docs on this server shows how to get either"
)
NO_WALLETS = (
    "this gateway takes no wallets' signatures; buy compute on its market, or come with a "
    "Kubernetes bearer token"
)


class Identity:
    """Checks credentials for one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._people: Remembered[str, Person | None] = Remembered(TOKEN_SECONDS)
        self._passes: Remembered[tuple[Proof, str], str] = Remembered(PASS_MEMORY_SECONDS)
        self._failures = Buckets(FAILURES_PER_SECOND, FAILURES_BURST)

    async def of(self, request: Request[Any, Any, Any]) -> Caller:
        """Raises Problem: 401, or 429 where too many failed; TransientError."""
        host = request.client.host if request.client else ""
        if wait := self._failures.wait(host):
            raise too_many("too many requests from this address were refused", wait)
        try:
            return await self._checked(request)
        except Problem as refusal:
            if refusal.status == 401:
                self._failures.take(host)
            raise

    async def _checked(self, request: Request[Any, Any, Any]) -> Caller:
        header = request.headers.get("authorization", "")
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "bearer" and credentials:
            return await self._person(credentials.strip())
        if scheme == SCHEME:
            if not self._gateway.settings.wallets:
                raise unauthenticated(NO_WALLETS, "NoWallets")
            return Wallet(await self._signer(parse_proof(header), request))
        raise unauthenticated(NOBODY)

    async def _person(self, token: str) -> Person:
        digest = hashlib.sha256(token.encode()).hexdigest()
        person = await self._people.of(digest, lambda: self._gateway.access.review_token(token))
        if person is None:
            raise unauthenticated(
                "Kubernetes doesn't know this token, or it has expired; get a new one, as by "
                "`kubectl create token`",
                "TokenRefused",
            )
        return person

    async def _signer(self, proof: Proof, request: Request[Any, Any, Any]) -> str:
        asked = await asked_of(request)
        self._refuse_other_host(asked.host)
        if not proof.until:
            return await self._signer_of_request(proof, asked)
        review_pass(proof.until, asked.method, self._gateway.clock.now().timestamp())

        async def recovered() -> str:
            return review_signature(proof, asked)

        return await self._passes.of((proof, asked.host), recovered)

    def _refuse_other_host(self, host: str) -> None:
        """Else whoever runs another gateway could use here what was signed for theirs."""
        known = self._gateway.settings.public_hosts
        if known and host.lower() not in known:
            raise unauthenticated(
                f"this gateway is {' or '.join(known)}, not {host!r}; sign for that name",
                "WrongHost",
            )

    async def _signer_of_request(self, proof: Proof, asked: Asked) -> str:
        signer = review_signature(proof, asked)
        bound = SignedRequest(
            signer=signer,
            nonce=proof.nonce,
            method=asked.method,
            route=f"{asked.host}{asked.target}",
            arguments=asked.body,
        )
        await self._gateway.nonces.bind(bound, changes=asked.method not in READS)
        return signer


async def asked_of(request: Request[Any, Any, Any]) -> Asked:
    """The part of a request that is signed. Reads the body, within the limit."""
    query = request.scope["query_string"]
    target = request.scope["raw_path"] + (b"?" + query if query else b"")
    return Asked(
        method=request.method,
        host=request.headers.get("host", ""),
        target=target.decode("latin-1"),
        body=await request.body(),
    )
