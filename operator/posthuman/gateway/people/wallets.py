"""Whether what came with a request is a wallet's signature of it. Pure arithmetic."""

from __future__ import annotations

import re

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature

from posthuman.gateway.people.refusals import unauthenticated
from posthuman.gateway.people.wallet_text import PASS_SECONDS, Asked, Proof, signed_text

SIGNATURE_ENDS = frozenset({0, 1, 27, 28})  # either form of v
_HEADER = re.compile(
    r"Wallet address=(?P<address>0x[0-9a-fA-F]{40}),"
    r"(?P<kind>nonce|until)=(?P<moment>[0-9]{1,20}),signature=0x(?P<signature>[0-9a-fA-F]{130})"
)
HOW = (
    "send `Authorization: Wallet address=0x…,nonce=<time_ns>,signature=0x…`, signed as "
    "/docs on this server says"
)


def parse_proof(header: str) -> Proof:
    """Raises Problem."""
    found = _HEADER.fullmatch(header)
    if found is None:
        raise unauthenticated(f"the wallet's signature can't be read; {HOW}")
    moment = int(found["moment"])
    return Proof(
        address=found["address"],
        signature=bytes.fromhex(found["signature"]),
        nonce=moment if found["kind"] == "nonce" else 0,
        until=moment if found["kind"] == "until" else 0,
    )


def review_pass(until: int, method: str, now_seconds: float) -> None:
    """Raises Problem for a pass that is not good now, or not for this."""
    if method != "GET":
        raise unauthenticated(
            f"a pass only reads; sign the {method} itself: {HOW}", "PassOnlyReads"
        )
    if until <= now_seconds:
        raise unauthenticated("the pass has ended; sign a new one", "PassEnded")
    if until > now_seconds + PASS_SECONDS:
        raise unauthenticated(
            f"a pass lasts at most {PASS_SECONDS:.0f} s; sign one that ends sooner", "PassTooLong"
        )


def review_signature(proof: Proof, asked: Asked) -> str:
    """The checksummed address that signed. Raises Problem where it isn't the one named."""
    signed = encode_defunct(text=signed_text(proof, asked))
    if proof.signature[-1] not in SIGNATURE_ENDS:
        raise unauthenticated(f"a signature ends with v, 0, 1, 27 or 28; {HOW}", "BadSignature")
    try:
        address: str = Account.recover_message(signed, signature=proof.signature)
    except BadSignature as error:
        raise unauthenticated(f"the signature is none: {error}; {HOW}", "BadSignature") from error
    if address.lower() != proof.address.lower():
        raise unauthenticated(
            f"the signature isn't {proof.address}'s over this request; what is to be signed is "
            f"{signed_text(proof, asked)!r}",
            "BadSignature",
        )
    return address
