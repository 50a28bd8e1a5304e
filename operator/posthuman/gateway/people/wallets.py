"""What a wallet signs, and whether it holds. Pure but for the recovery's arithmetic.

Texts are signed as EIP-191 version 0x45 has it (`personal_sign`), so that a wallet shows them to
its holder. A request's names host, method, path and query, body and a nonce, so that it is good for
nothing else. A pass only reads, at one host, until a moment within the hour: a page that polls asks
its holder once.
"""

from __future__ import annotations

import hashlib
import re

import msgspec
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature

from posthuman.gateway.people.refusals import unauthenticated

SCHEME = "Wallet"
SIGNATURE_ENDS = frozenset({0, 1, 27, 28})  # either form of v
PASS_SECONDS = 3600.0  # the longest that a pass may last
_HEADER = re.compile(
    r"Wallet address=(?P<address>0x[0-9a-fA-F]{40}),"
    r"(?P<kind>nonce|until)=(?P<moment>[0-9]{1,20}),signature=0x(?P<signature>[0-9a-fA-F]{130})"
)
HOW = (
    "send `Authorization: Wallet address=0x…,nonce=<time_ns>,signature=0x…`, signed as "
    "/docs on this server says"
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request, as far as it is signed. `target`: path and query as they were sent."""

    method: str
    host: str
    target: str
    body: bytes = b""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The header's content. A request's has a `nonce` (time_ns), a pass an `until` (epoch
    seconds); the other is 0."""

    address: str
    signature: bytes
    nonce: int = 0
    until: int = 0


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


def header_of(proof: Proof) -> str:
    """What parse_proof reads."""
    moment = f"until={proof.until}" if proof.until else f"nonce={proof.nonce}"
    return f"{SCHEME} address={proof.address},{moment},signature=0x{proof.signature.hex()}"


def request_text(asked: Asked, nonce: int) -> str:
    """What is signed for one request."""
    return (
        f"posthuman gateway: {asked.method} {asked.target}\n"
        f"host: {asked.host.lower()}\n"
        f"body: sha256:{hashlib.sha256(asked.body).hexdigest()}\n"
        f"nonce: {nonce}"
    )


def pass_text(host: str, until: int) -> str:
    """What is signed once for all reads until then."""
    return f"posthuman gateway: read my jobs\nhost: {host.lower()}\nuntil: {until}"


def signed_text(proof: Proof, asked: Asked) -> str:
    """The text that the signature must be of."""
    return pass_text(asked.host, proof.until) if proof.until else request_text(asked, proof.nonce)


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
