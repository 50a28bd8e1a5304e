"""The rules of a signer's NonceBook: who may use which nonce. Pure; bookkeeping.py keeps the book.

A nonce is reserved for one step of one publication, and stays so until that step is confirmed: a
crash between the reservation and the signed bytes finds the same nonce again. A reservation that
nobody will ever use (its asset was removed by force) holds up every later transaction of the
signer: it is a gap, which a transfer to oneself fills. The reservation outlives the filler until
one of the two is settled on chain, so that an asset made anew can't get a second nonce before.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from posthuman.chain import SignerNonces
from posthuman.errors import TransientError
from posthuman.ports import NonceBook


def holder(publication: str, step: str) -> str:
    """Whom a nonce is reserved for."""
    return f"{publication}/{step}"


def held_by(book: NonceBook, publication: str) -> Mapping[str, int]:
    """The steps of a publication that hold a nonce, and which."""
    prefix = f"{publication}/"
    return {
        name.removeprefix(prefix): nonce
        for name, nonce in book.reserved.items()
        if name.startswith(prefix)
    }


def reserve(book: NonceBook, name: str, chain: SignerNonces) -> tuple[NonceBook, int]:
    """The book with a nonce for this holder, and the nonce: the same one each time it is asked,
    until it is seen on chain that another transaction used it up.

    `chain` was read before the book was, and before the chain was asked whether the holder's step
    is done. Raises TransientError: SignerBusy, NonceTaken.
    """
    held = book.reserved.get(name)
    if held is not None and held >= chain.settled:
        return book, _unspent(name, held, chain)
    nonce = book.next_nonce
    if nonce < chain.pending:
        _check_idle(chain)
        nonce = chain.pending
    reserved = {**book.reserved, name: nonce}
    return msgspec.structs.replace(book, next_nonce=nonce + 1, reserved=reserved), nonce


def release(book: NonceBook, names: frozenset[str]) -> NonceBook:
    """The book without these holders."""
    kept = {name: nonce for name, nonce in book.reserved.items() if name not in names}
    return msgspec.structs.replace(book, reserved=kept)


def gaps(
    book: NonceBook, live: frozenset[str], waiting: int, chain: SignerNonces
) -> frozenset[int]:
    """Nonces before the waiting one that the node lacks and no live publication will bring."""
    used = {nonce for name, nonce in book.reserved.items() if _publication(name) in live}
    return frozenset(nonce for nonce in range(chain.pending, waiting) if nonce not in used)


def settle(book: NonceBook, live: frozenset[str], chain: SignerNonces) -> NonceBook:
    """The book without what the chain has made pointless: fillers, and holders that are gone."""
    kept = {
        name: nonce
        for name, nonce in book.reserved.items()
        if nonce >= chain.settled or _publication(name) in live
    }
    fillers = {nonce: raw for nonce, raw in book.fillers.items() if nonce >= chain.settled}
    return msgspec.structs.replace(book, reserved=kept, fillers=fillers)


def _publication(name: str) -> str:
    return name.rpartition("/")[0]


def _unspent(name: str, nonce: int, chain: SignerNonces) -> int:
    if nonce < chain.mined:
        raise TransientError(
            f"nonce {nonce}, reserved for {name}, was used by another transaction; the step is "
            "signed anew once that one is confirmed",
            "NonceTaken",
        )
    return nonce


def _check_idle(chain: SignerNonces) -> None:
    """Transactions that no book knows may be ours, from before a restore: let them be mined, so
    that what they did is seen on chain before anything is signed anew."""
    if chain.mined < chain.pending:
        raise TransientError(
            f"{chain.pending - chain.mined} transactions of the signer that this operator doesn't "
            "know wait to be mined; it signs nothing until they are",
            "SignerBusy",
        )
