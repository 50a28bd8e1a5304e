"""A finished job's receipt: whether it is due, and its bytes. Pure but for the key that signs."""

from __future__ import annotations

from jobkit.manifest import RECEIPT_NAME, Manifest
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, ComputeJob, Results
from posthuman.chain_ports import ReceiptSigner
from posthuman.errors import UserError
from posthuman.receipts.content import receipt_of
from posthuman.receipts.signed import encode_signed, typed_data


def due(job: ComputeJob, environment: ComputeEnvironment | None) -> Results | None:
    """The results that a receipt is to be signed for: of a finished job that has none yet, where
    the environment has a key."""
    status = job.status
    if status.phase not in FINISHED or status.receipt is not None:
        return None
    return status.results if environment and environment.spec.chain else None


async def issued(
    job: ComputeJob, results: Results, manifest: Manifest, digest: str, signer: ReceiptSigner
) -> bytes:
    """receipt.json. Raises UserError: the manifest isn't the job's; and what the signer raises."""
    if digest != results.manifest_digest:
        raise UserError(
            f"{results.prefix}/manifest.json is not the one that was exported; nothing is signed "
            "for it. Run the job anew",
            "ManifestMismatch",
        )
    receipt = receipt_of(job, results, manifest, signer.chain_id)
    return encode_signed(receipt, signer.address, await signer.sign(typed_data(receipt)))


def receipt_key(prefix: str) -> str:
    """Where in the store it lies: beside the manifest."""
    return f"{prefix}/{RECEIPT_NAME}"
