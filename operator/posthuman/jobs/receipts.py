"""Receipts of finished jobs: read the manifest, have the key sign, keep the file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.chain_ports import ReceiptSigner
from posthuman.errors import PosthumanError
from posthuman.jobs.observed import Issued, PutReceipt, Unsigned
from posthuman.ports import ResultStore
from posthuman.receipts.issue import due, issued, receipt_key

StoreOf = Callable[[ComputeEnvironment], Awaitable[ResultStore]]
SignerOf = Callable[[ComputeEnvironment], Awaitable[ReceiptSigner]]


class Receipts:
    """Signing keeps nothing, so it may be done any number of times."""

    def __init__(self, store_of: StoreOf, signer_of: SignerOf) -> None:
        self._store_of = store_of
        self._signer_of = signer_of

    async def look(
        self, job: ComputeJob, environment: ComputeEnvironment | None
    ) -> Issued | Unsigned | None:
        """The receipt if it is due; a fault of store or key never holds up the rest of a pass."""
        results = due(job, environment)
        if environment is None or results is None:
            return None
        try:
            manifest, digest = await (await self._store_of(environment)).manifest(results.prefix)
            signer = await self._signer_of(environment)
            content = await issued(job, results, manifest, digest, signer)
        except PosthumanError as error:
            return Unsigned(error.reason, str(error))
        return Issued(receipt_key(results.prefix), content, signer.address)

    async def put(self, wanted: PutReceipt) -> None:
        """Raises TransientError."""
        await (await self._store_of(wanted.environment)).put(wanted.key, wanted.content)
