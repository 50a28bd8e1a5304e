"""A Provider in memory: DDOs that a test puts there, tokens where it has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobkit.provider_access import ProviderAccess, Ticket
from posthuman.errors import NotFound

CONSUMER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
PROVIDER_URL = "https://provider.example"


class FakeProvider:
    """See chain_ports.Provider."""

    def __init__(self, has_tokens: bool = True) -> None:
        self.has_tokens = has_tokens
        self.ddos: dict[str, dict[str, Any]] = {}
        self.tokens_given = 0

    @property
    def consumer(self) -> str:
        return CONSUMER

    async def ddo(self, did: str) -> dict[str, Any]:
        if did not in self.ddos:
            raise NotFound(f"nobody knows {did}", "AssetNotFound")
        return self.ddos[did]

    async def token(self) -> ProviderAccess | None:
        if not self.has_tokens:
            return None
        self.tokens_given += 1
        return ProviderAccess(consumer=CONSUMER, token=f"token-{self.tokens_given}")

    async def tickets(self, dids: Sequence[str]) -> ProviderAccess:
        tickets: dict[str, tuple[Ticket, ...]] = {
            did: (Ticket(n, f"0x{n}"),) for n, did in enumerate(dids, start=1)
        }
        return ProviderAccess(consumer=CONSUMER, tickets=tickets)


def a_ddo(
    did: str, endpoint: str = PROVIDER_URL, container: dict[str, str] | None = None
) -> dict[str, Any]:
    """Of an asset with one service, for compute."""
    algorithm = {"metadata": {"algorithm": {"container": container}}} if container else {}
    service = {"id": "s0", "type": "compute", "serviceEndpoint": endpoint, "files": "0x00"}
    return {"id": did, "version": "4.7.0", "services": [service], **algorithm}
