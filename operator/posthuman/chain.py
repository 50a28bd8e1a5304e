"""What the chain says and is told, as the core reads and writes it. Addresses are checksummed."""

from __future__ import annotations

import msgspec

from posthuman.api.asset import PricingKind


class UnsignedTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A call with its gas and fees, lacking only a nonce and a signature. Hex strings with 0x."""

    to: str
    data: str
    gas: int
    max_fee_wei: int  # per gas
    tip_wei: int | None  # per gas; None: the chain has no base fee, and `max_fee_wei` is the price


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A signed transaction, ready to be stored and then sent. Hex strings with 0x."""

    hash: str
    raw: str
    nonce: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A mined transaction. `nft` and `datatoken` are set for a creation."""

    hash: str
    block: int
    succeeded: bool
    confirmations: int
    nft: str = ""
    datatoken: str = ""
    gas_used: int = 0
    cost_wei: int = 0


class SignerNonces(msgspec.Struct, frozen=True, kw_only=True):
    """A signer's transaction counts, read together: the nonce below which all are …"""

    settled: int  # mined under as many blocks as the environment asks confirmations for
    mined: int
    pending: int  # mined, or waiting in the node's pool without a gap
    block: int = 0  # the node's latest


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """The mined transaction that used a nonce."""

    hash: str
    confirmations: int


class Publication(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is recorded on chain at creation, in clear, as the NFT's tokenURI (JSON, RFC 8785)."""

    publication_id: str
    parents: tuple[str, ...]
    manifest_digest: str


class CreatedNFT(msgspec.Struct, frozen=True, kw_only=True):
    """A publication found on chain by its creation event."""

    publication: Publication
    nft: str
    datatoken: str
    hash: str
    block: int
    creator: str
    name: str = ""
    nonce: int = -1  # of its transaction; -1: not asked for


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """A DDO as it is put on chain."""

    data: bytes
    digest: bytes  # sha256 of the clear text
    flags: int = 0  # METADATA_LZMA, METADATA_ENCRYPTED
    decryptor_url: str = ""  # of the provider that encrypted it


METADATA_LZMA, METADATA_ENCRYPTED = 1, 2


class SetDDO(msgspec.Struct, frozen=True, kw_only=True):
    """A DDO as it was found on chain, written by whoever owned the NFT then."""

    content: bytes  # the clear text; empty where it is `encrypted`, or can't be read
    digest: str  # sha256 of the clear text as its writer says, 64 hex digits
    encrypted: bool = False


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """How strangers come by datatokens, and whom they pay: one costs `rate` whole `token`s."""

    kind: PricingKind = PricingKind.PLAIN
    owner: str = ""
    token: str = ""
    rate: str = "0"


PLAIN = Sale()


class MarketFee(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The market owner's share of each order, fixed at creation; `amount` in whole tokens."""

    address: str = ""  # empty: no fee
    token: str = ""
    amount: str = "0"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the chain has it: `startOrder` of a datatoken, or a `reuseOrder` of it.

    `timestamp` (of startOrder), `reused_at` and `valid_until` (of the provider's fee; 0: none) are
    epoch seconds. Anybody may reuse any order, and sign a fee of nothing for it himself: block,
    confirmations, `valid_until` and the fee are the reuse's, all else is startOrder's.
    """

    tx_id: str  # of startOrder, though a reuse was asked for
    reuse_tx_id: str = ""  # the reuse that was asked for
    reused_at: int = 0
    datatoken: str
    consumer: str
    payer: str
    service_index: int
    timestamp: int
    block: int
    confirmations: int
    valid_until: int = 0
    fee_token: str = ""  # of the provider's fee
    fee_wei: int = 0
