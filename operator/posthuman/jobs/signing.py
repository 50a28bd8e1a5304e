"""The end of a finished job: its receipt, signed by the environment's key. Pure part of decide().

A store or a key that can't be had never changes how a job ended: condition Signed says why there is
no receipt yet, and it is tried again.
"""

from __future__ import annotations

from jobkit.manifest import digest_of
from posthuman.api.job import ReceiptRecord
from posthuman.jobs.draft import Draft
from posthuman.jobs.observed import Issued, Observed, PutReceipt, Unsigned

RETRY_SECONDS = 60.0
NO_CHAIN = "the environment has no spec.chain, so it has no key that could sign a receipt"


def sign_off(seen: Observed, draft: Draft) -> bool:
    """Whether nothing more is to come; until then the job outlives its time to live."""
    environment, found = seen.environment, seen.receipt
    if draft.status.results is None or draft.status.receipt or environment is None:
        return True
    if environment.spec.chain is None:
        draft.condition("Signed", "False", "NoChain", NO_CHAIN)
    elif isinstance(found, Issued):
        draft.do(PutReceipt(environment, found.key, found.content))
        draft.update(receipt=ReceiptRecord(digest=digest_of(found.content), signer=found.signer))
        draft.done("Signed", f"the receipt is signed by {found.signer}")
    elif isinstance(found, Unsigned):
        draft.condition("Signed", "False", found.reason, found.message)
        draft.look_again(RETRY_SECONDS)
        return False
    return True
