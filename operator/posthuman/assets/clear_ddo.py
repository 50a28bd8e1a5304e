"""A DDO's clear text, where it was encrypted too: the operator keeps that of each DDO it encrypts.

It lies in the environment's store under its digest, which stands on chain: nobody can put other
words there.
"""

from __future__ import annotations

import hashlib

from posthuman.chain import SetDDO
from posthuman.errors import NotFound
from posthuman.ports import ResultStore

FOLDER = "ddos"


def clear_key(digest: str) -> str:
    """Where the clear text lies, by its sha256."""
    return f"{FOLDER}/{digest}.json"


async def clear_text(ddo: SetDDO | None, store: ResultStore | None) -> bytes:
    """Empty where it can't be known. Raises TransientError."""
    if ddo is None or not ddo.encrypted:
        return ddo.content if ddo else b""
    if store is None:
        return b""
    try:
        kept = await store.get(clear_key(ddo.digest))
    except NotFound:
        return b""
    return kept if hashlib.sha256(kept).hexdigest() == ddo.digest else b""
