"""What a wallet signs, and how it travels. Pure, and light: the client signs by it too.

Texts are signed as EIP-191 version 0x45 has it (`personal_sign`), so that a wallet shows them to
its holder. A request's names host, method, path and query, body and a nonce, so that it is good for
nothing else. A pass only reads, at one host, until a moment within the hour: a page that polls asks
its holder once.
"""

from __future__ import annotations

import hashlib

import msgspec

SCHEME = "Wallet"
PASS_SECONDS = 3600.0  # the longest that a pass may last


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
