"""What one pass sees of an asset's world, and what it decides; both plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from jobkit.manifest import Manifest
from posthuman.api.asset import AssetStatus, ModelAsset, TransactionRecord
from posthuman.api.environment import ComputeEnvironment
from posthuman.assets.trust import AlgorithmFacts
from posthuman.chain import (
    PLAIN,
    CreatedNFT,
    MarketFee,
    Publication,
    Receipt,
    Sale,
    SignerNonces,
    Spent,
)

CREATE, METADATA, MINT, TRANSFER = "create", "metadata", "mint", "transfer"


class Problem(msgspec.Struct, frozen=True):
    """Why the publication isn't further: a word, a sentence, seconds until it may have healed."""

    reason: str
    message: str
    retry_seconds: float = 30.0


class ChainFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the chain itself says of a publication, whatever the status remembers.

    All but `creation` speak of the NFT in the status; they are unset while there is none.
    """

    creation: CreatedNFT | None = None
    owner: str = ""
    has_metadata: bool = False
    minted_wei: int = 0


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """The world of one asset."""

    asset: ModelAsset
    environment: ComputeEnvironment | None = None
    problem: Problem | None = None  # what hindered looking further
    standby: bool = False  # another operator process advances it
    epoch: str = ""  # this process's term as the signer's one writer
    signer: str = ""
    held: Mapping[str, int] = {}  # steps that hold a nonce, and which
    manifest: Manifest | None = None
    manifest_digest: str = ""
    algorithms: Mapping[str, AlgorithmFacts] = {}  # that its services trust, by DID
    nonces: SignerNonces | None = None  # read before all else of the chain
    gaps: frozenset[int] = frozenset()  # nonces before the open transaction's that nobody brings
    receipt: Receipt | None = None  # of the open transaction
    spent: Spent | None = None  # who used the open transaction's nonce, where it has no receipt
    facts: ChainFacts | None = None  # read where no receipt is to be waited for
    unchanged: bool = False  # no block since a whole look that saw nothing to do
    nft_missing: bool | None = None  # the chain knows no such contract; None: not asked
    brought: bool = False  # this process has sent its bytes, and the node holds that nonce
    waited_seconds: float = 0.0  # for the open transaction
    next_seconds: float = 0.0  # that long its nonce has been the next to be mined

    @property
    def open_record(self) -> TransactionRecord | None:
        """The transaction that isn't confirmed yet; there is at most one."""
        return open_record(self.asset.status)


class AddFinalizer(msgspec.Struct, frozen=True):
    """Before a nonce is reserved."""


class DropFinalizer(msgspec.Struct, frozen=True):
    """Once no nonce is unresolved."""


class Release(msgspec.Struct, frozen=True):
    """Give up the reservations of these steps, after the status says that they are confirmed."""

    steps: frozenset[str]


class Fill(msgspec.Struct, frozen=True):
    """Use these nonces up, since nobody else will."""

    nonces: frozenset[int]


class Send(msgspec.Struct, frozen=True):
    """Send bytes that the API server holds."""

    raw: str


class Replace(msgspec.Struct, frozen=True):
    """Sign the open transaction anew with a higher fee and the same nonce."""

    record: TransactionRecord


class SignCreate(msgspec.Struct, frozen=True):
    """The NFT and its datatoken."""

    publication: Publication
    name: str
    market_fee: MarketFee
    sale: Sale = PLAIN
    step: str = CREATE


class SignMetadata(msgspec.Struct, frozen=True):
    """The DDO, not sealed yet."""

    nft: str
    ddo: Mapping[str, Any]
    environment: ComputeEnvironment
    step: str = METADATA


class SignMint(msgspec.Struct, frozen=True):
    """The reward."""

    datatoken: str
    to: str
    wei: int
    step: str = MINT


class SignTransfer(msgspec.Struct, frozen=True):
    """The NFT goes to the asset's owner."""

    nft: str
    to: str
    step: str = TRANSFER


Sign = SignCreate | SignMetadata | SignMint | SignTransfer
Action = AddFinalizer | DropFinalizer | Release | Fill | Send | Replace | Sign


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Actions, and the status; look again after so many seconds, if given."""

    status: AssetStatus
    actions: tuple[Action, ...] = ()
    requeue_after_seconds: float | None = None


def open_record(status: AssetStatus) -> TransactionRecord | None:
    """The transaction that isn't confirmed yet."""
    return next((record for record in status.transactions if not record.block), None)
