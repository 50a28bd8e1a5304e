"""The Encryptor port on Ocean's provider: `POST /api/services/encrypt?chainId=…`.

Route and answer: https://github.com/oceanprotocol/provider (ocean_provider/routes/encrypt.py): the
body is the bytes, 201 answers hex. A provider's URL is public, unlike a node's.
"""

from __future__ import annotations

import re

import aiohttp

from posthuman.errors import TransientError, UserError

TIMEOUT = aiohttp.ClientTimeout(total=20)
MOST_ANSWER_BYTES = 4_000_000
SAID_CHARS = 200
_HEX = re.compile(r"\s*(0x)?(?P<digits>([0-9a-fA-F]{2})+)\s*")


class ProviderEncryptor:
    """See chain_ports.Encryptor."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/api/services/encrypt"

    async def encrypt(self, chain_id: int, content: bytes) -> str:
        try:
            status, said = await self._ask(chain_id, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(
                f"the provider {self._url} can't be reached ({type(error).__name__}); the metadata "
                "is encrypted as soon as it answers",
                "ProviderUnreachable",
            ) from error
        if status in (200, 201):
            return self._digits(said)
        if status >= 500 or status in (404, 408, 429):
            raise TransientError(
                f"the provider {self._url} answers HTTP {status}; the metadata is encrypted as "
                "soon as it can, check spec.chain.providerUrl",
                "ProviderUnavailable",
            )
        raise UserError(
            f"the provider {self._url} refuses to encrypt for chain {chain_id}: HTTP {status} "
            f"{said[:SAID_CHARS]!r}; check spec.chain.providerUrl",
            "ProviderRefuses",
        )

    async def _ask(self, chain_id: int, content: bytes) -> tuple[int, str]:
        kind = {"Content-Type": "application/octet-stream"}
        asked = {"chainId": str(chain_id)}
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.post(
                self._url, params=asked, data=content, headers=kind, allow_redirects=False
            ) as answer,
        ):
            said = await answer.content.read(MOST_ANSWER_BYTES)
            return answer.status, said.decode(errors="replace")

    def _digits(self, said: str) -> str:
        found = _HEX.fullmatch(said)
        if found is None:
            raise TransientError(
                f"{self._url} answers {said[:SAID_CHARS]!r}, which is no encrypted text; check "
                "spec.chain.providerUrl",
                "ProviderUnavailable",
            )
        return f"0x{found['digits']}"
