"""Signatures as Ocean's provider checks them (`ocean_provider/utils/accounts.py`). Pure.

As of personal messages, but over the message's keccak256; the message ends with the nonce.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from jobkit.provider_access import Ticket

TICKETS_PER_ASSET = 100  # requests for its files, resumed ones too, before a step is made anew


def signed(account: LocalAccount, message: str) -> str:
    """0x, then r, s and v in hexadecimal."""
    digest = keccak(text=message)
    return "0x" + bytes(account.sign_message(encode_defunct(digest)).signature).hex()


def tickets_for(
    account: LocalAccount, dids: Sequence[str], first_nonce: int
) -> dict[str, tuple[Ticket, ...]]:
    """Nonces in turns, so that a step may go from one asset to the other and back."""
    made: dict[str, list[Ticket]] = {did: [] for did in dids}
    nonce = first_nonce
    for _ in range(TICKETS_PER_ASSET):
        for did, tickets in made.items():
            tickets.append(Ticket(nonce, signed(account, f"{did}{nonce}")))
            nonce += 1
    return {did: tuple(tickets) for did, tickets in made.items()}
