"""A gateway over the fakes with several callers, and one job of each: who may see what?

The keys are made here, for these tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct
from msgspec.structs import replace

from posthuman.api.job import ComputeJob, ReceiptRecord
from posthuman.api.meta import Key
from posthuman.gateway.people.wallet_text import Asked, Proof, header_of, pass_text, request_text
from posthuman.gateway.ports import JobAccess, Person
from posthuman.gateway.service import Gateway
from posthuman.gateway.settings import GatewaySettings, Limits
from tests import builders
from tests.gateway.world import NAMESPACE, World

HOST = "gateway"
BOB, CAROL = (Account.from_key(bytes([number]) * 32) for number in (1, 2))
RECEIPT = b'{"receipt": 1}'
VERBS = ("get", "list", "create", "patch", "delete")
FILES = {
    "metrics.json": b'{"loss": 3.5}',
    "samples/first.txt": bytes(range(256)) * 40,
    "logs/algorithm.log": b"step 1\nstep 2\n",
    "model/model.safetensors": b"custody bytes",
}


class PeopleWorld(World):
    """Bob and Carol with wallets; Tina whose namespace is `bob`; Uma who may do nothing."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__()
        self._limits = limits or Limits()
        self.public_hosts: tuple[str, ...] = ()
        self.wallets = True
        self.access.add_environment(builders.environment())
        self.access.people = {name: Person(username=name) for name in ("tina", "uma")}
        self.grant("tina", "bob", VERBS)

    def gateway(self, access: JobAccess | None = None) -> Gateway:
        """A replica that has just started."""
        settings = GatewaySettings(
            namespace=NAMESPACE,
            also_namespaces=("bob",),
            limits=self._limits,
            public_hosts=self.public_hosts,
            wallets=self.wallets,
        )
        return Gateway(access or self.access, self.files_of, self.clock, settings)

    def grant(self, username: str, namespace: str, verbs: Iterable[str]) -> None:
        """By RBAC."""
        self.access.allowed |= {(username, verb, "ComputeJob", namespace) for verb in verbs}

    async def add_job(self, key: Key, owner: str, **spec: Any) -> ComputeJob:
        """As if it had been created."""
        job = builders.job(key.name, owner=owner, **spec)
        metadata = replace(job.metadata, namespace=key.namespace)
        return await self.access.create_job(replace(job, metadata=metadata))

    async def succeed(self, job: ComputeJob, files: Mapping[str, bytes] = FILES) -> ComputeJob:
        """Its results are in the store, and signed for."""
        finished = self.finish(job, files)
        assert finished.status.results
        store = await self.files_of(self.access.all_environments["a100"])
        store.objects[f"{finished.status.results.prefix}/receipt.json"] = RECEIPT
        record = ReceiptRecord(digest="sha256:" + "0" * 64, signer=builders.ALICE)
        return self.access.advance(finished, receipt=record)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Asking]:
        """A replica, and callers of it."""
        async with self.client() as client:
            yield Asking(self, client)


class Asking:
    """Requests with credentials."""

    def __init__(self, world: PeopleWorld, client: httpx.AsyncClient) -> None:
        self._world = world
        self.client = client
        self._nonces = 0

    async def __call__(
        self, who: str | Any, method: str, path: str, headers: Any = None, **arguments: Any
    ) -> httpx.Response:
        """`who`: a token, an account whose wallet signs, or "" for nobody."""
        request = self.client.build_request(method, path, headers=headers, **arguments)
        if isinstance(who, str) and who:
            request.headers["authorization"] = f"Bearer {who}"
        elif who:
            request.headers["authorization"] = signed(who, request, self.next_nonce())
        return await self.client.send(request)

    def next_nonce(self) -> int:
        """Of the held clock's present."""
        self._nonces += 1
        return int(self._world.clock.now().timestamp() * 1e9) + self._nonces


def signed(account: Any, request: httpx.Request, nonce: int, address: str = "") -> str:
    """The Authorization header of one request."""
    asked = Asked(
        method=request.method,
        host=request.headers["host"],
        target=request.url.raw_path.decode(),
        body=request.content,
    )
    signature = account.sign_message(encode_defunct(text=request_text(asked, nonce))).signature
    proof = Proof(address=address or account.address, signature=bytes(signature), nonce=nonce)
    return header_of(proof)


def passed(account: Any, until: int, host: str = HOST) -> str:
    """The Authorization header of a pass."""
    signature = account.sign_message(encode_defunct(text=pass_text(host, until))).signature
    return header_of(Proof(address=account.address, signature=bytes(signature), until=until))
