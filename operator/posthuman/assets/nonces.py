"""The rules of a signer's NonceBook: who may use which nonce. Pure; reconcile.py keeps the book.

A nonce is reserved for one step of one publication, and stays so until that step is confirmed: a
crash between the reservation and the signed bytes finds the same nonce again. A reservation that
nobody will ever use (an asset removed by force) leaves a gap, which is to be filled here, as is a
transaction whose fee has become too low.
"""

from __future__ import annotations

import msgspec

from posthuman.errors import TransientError
from posthuman.ports import NonceBook


class ChainNonces(msgspec.Struct, frozen=True):
    """The signer's transaction count as the chain tells it: mined, and with pending ones."""

    mined: int
    pending: int


def holder(publication: str, step: str) -> str:
    """Whom a nonce is reserved for."""
    return f"{publication}/{step}"


def held_by(book: NonceBook, publication: str) -> frozenset[str]:
    """The steps of a publication that hold a nonce."""
    prefix = f"{publication}/"
    return frozenset(name.removeprefix(prefix) for name in book.reserved if name.startswith(prefix))


def reserve(book: NonceBook, name: str, chain: ChainNonces) -> tuple[NonceBook, int]:
    """The book with a nonce for this holder, and the nonce; the same one each time it is asked.

    `chain` was read before the book was. Raises TransientError: SignerBusy, NonceTaken.
    """
    if name in book.reserved:
        return book, _unspent(name, book.reserved[name], chain)
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


def _unspent(name: str, nonce: int, chain: ChainNonces) -> int:
    if nonce < chain.mined:
        raise TransientError(
            f"nonce {nonce}, reserved for {name}, was used by another transaction; "
            "let nobody but the operator use the signer's key",
            "NonceTaken",
        )
    return nonce


def _check_idle(chain: ChainNonces) -> None:
    """Transactions that no book knows may be ours, from before a restore: let them be mined, so
    that what they did is seen on chain before anything is signed anew."""
    if chain.mined < chain.pending:
        raise TransientError(
            f"{chain.pending - chain.mined} transactions of the signer that this operator doesn't "
            "know wait to be mined; it signs nothing until they are",
            "SignerBusy",
        )
