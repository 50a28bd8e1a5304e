"""Ocean's provider as the gateway sees it: the same requests, signed in the same way.

The real one (`provider-py`, routes/compute.py) checks the buyer's signature and order first, and
then says exactly this. Here its part is played, so that the example needs no market.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from web3 import Web3

COMPUTE = "/api/v1/operator/compute"


class Refused(Exception):
    """The gateway's own sentence."""


class Provider:
    """One provider, in front of one gateway."""

    def __init__(self, session: aiohttp.ClientSession, url: str, private_key: bytes) -> None:
        self._session = session
        self._url = url
        self._account: LocalAccount = Account.from_key(private_key)

    async def start(
        self,
        owner: str,
        environment: str,
        agreement_id: str,
        chain_id: int,
        stage: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The new job's status. Raises Refused."""
        return await self.send(self.request(owner, environment, agreement_id, chain_id, stage))

    def request(
        self,
        owner: str,
        environment: str,
        agreement_id: str,
        chain_id: int,
        stage: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What is sent, signed; sent again as it stands, it makes no second job."""
        nonce = time.time_ns()
        return {
            "workflow": {"stages": [stage]},
            "providerSignature": self._signed(f"{owner}{nonce}"),
            "agreementId": agreement_id,
            "owner": owner,
            "providerAddress": self._account.address,
            "environment": environment,
            "validUntil": 0,
            "nonce": nonce,
            "chainId": chain_id,
        }

    async def send(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The job's status. Raises Refused."""
        async with self._session.post(self._url + COMPUTE, json=request) as answer:
            (job,) = await _read(answer)
            return dict(job)

    async def status(self, owner: str, job_id: str) -> dict[str, Any]:
        """As its owner is shown it. Raises Refused."""
        asked = self._asked(owner, job_id)
        async with self._session.get(self._url + COMPUTE, params=asked) as answer:
            (job,) = await _read(answer)
            return dict(job)

    async def result(self, owner: str, job_id: str, index: int) -> bytes:
        """One file of the results. Raises Refused."""
        asked = self._asked(owner, job_id) | {"index": str(index)}
        url = self._url + "/api/v1/operator/getResult"
        async with self._session.get(url, params=asked) as answer:
            if answer.status != 200:
                raise Refused(await answer.text())
            return await answer.read()

    def _asked(self, owner: str, job_id: str) -> dict[str, str]:
        nonce = str(time.time_ns())
        signature = self._signed(f"{owner}{job_id}{nonce}")
        return {"owner": owner, "jobId": job_id, "nonce": nonce, "providerSignature": signature}

    def _signed(self, message: str) -> str:
        hashed = encode_defunct(primitive=Web3.keccak(text=message))
        return "0x" + self._account.sign_message(hashed).signature.hex().removeprefix("0x")


async def _read(answer: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    if answer.status != 200:
        raise Refused(await answer.text())
    jobs: list[dict[str, Any]] = await answer.json()
    return jobs
