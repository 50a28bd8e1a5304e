"""What the core needs of a chain, its signers and Ocean's provider; ports.py holds the rest.

Every method that waits may raise TransientError (look again); what else it raises is said. Each
port has one contract suite in tests/contracts/, run on its fake and on every real adapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jobkit.provider_access import ProviderAccess
from posthuman.chain import (
    PLAIN,
    CreatedNFT,
    MarketFee,
    Metadata,
    Order,
    Publication,
    Receipt,
    Sale,
    SetDDO,
    SignerNonces,
    Spent,
    Transaction,
    UnsignedTransaction,
)


class ReceiptSigner(Protocol):
    """The environment's key, for receipts; sends nothing to a chain."""

    @property
    def chain_id(self) -> int: ...
    @property
    def address(self) -> str:
        """Checksummed."""

    async def sign(self, typed_data: Mapping[str, Any]) -> str:
        """EIP-712: 0x, then r, s and v in lower-case hex; of a key that is here, the same each time
        it is given the same. A remote signer may fail as in Ledger.sign."""


class Ledger(Protocol):
    """Ocean's contracts on one EVM chain, and the one account that signs; checksummed addresses.

    No method both signs and sends. `prepare_*` ask the node for gas and fees, change nothing, and
    raise UserError where the contracts would refuse, TransientError where the purse can't pay
    (PurseEmpty) or gas costs more than may be offered (FeeCeiling).
    """

    @property
    def chain_id(self) -> int: ...
    @property
    def signer(self) -> str: ...
    async def check(self) -> None:
        """Raises UserError if the node's chain id isn't the environment's."""

    async def balance_wei(self) -> int: ...
    async def nonces(self) -> SignerNonces:
        """Raises UserError if the node's chain id isn't the environment's."""

    async def latest_block(self) -> int:
        """Its number, as the node has it."""

    async def spent_by(self, nonce: int) -> Spent | None:
        """Whichever transaction of the signer was mined with this nonce; None if none was yet."""

    async def find(self, publication_id: str) -> CreatedNFT | None:
        """The NFT that the signer created for this publication, from NFTCreated events."""

    async def prepare_create(
        self, publication: Publication, name: str, market_fee: MarketFee, sale: Sale = PLAIN
    ) -> UnsignedTransaction: ...
    async def prepare_metadata(self, nft: str, metadata: Metadata) -> UnsignedTransaction: ...
    async def prepare_mint(self, datatoken: str, to: str, wei: int) -> UnsignedTransaction: ...
    async def prepare_transfer(self, nft: str, to: str) -> UnsignedTransaction: ...
    async def prepare_replacement(self, raw: str) -> UnsignedTransaction:
        """The same call, offering enough more that nodes take it in the other's place. Raises
        TransientError: FeeCeiling, PurseEmpty."""

    async def prepare_filler(self) -> UnsignedTransaction:
        """Nothing of the chain's coin, to oneself: it only uses up a nonce."""

    async def check_signer(self) -> None:
        """Raises UserError if the key isn't where it should be: SignerMissing."""

    async def sign(self, unsigned: UnsignedTransaction, nonce: int) -> Transaction:
        """Exactly this, with a signature of `signer`. A key that is here asks nobody; a remote one
        may raise TransientError (SignerUnreachable) and UserError (SignerRefused, SignedOtherwise).
        """

    async def send(self, raw: str) -> None:
        """Send stored bytes; "already known" and the like are success."""

    async def receipt(self, transaction_hash: str) -> Receipt | None: ...
    async def minted_wei(self, datatoken: str, to: str, since_block: int) -> int:
        """What was minted to an address so far, from the token's mint events; `since_block`: one
        not after the token's creation."""

    async def has_metadata(self, nft: str) -> bool:
        """Whether a DDO was set."""

    async def nft_owner(self, nft: str) -> str: ...


class Provider(Protocol):
    """What an environment buys at: Ocean's provider and metadata, and the address that downloads
    there (the contract in reference to Ocean's `/api/services`)."""

    @property
    def consumer(self) -> str:
        """That address, checksummed: buyers of compute name it as their orders' consumer."""

    async def ddo(self, did: str) -> dict[str, Any]:
        """Raises NotFound, and UserError for one that can't be read."""

    async def token(self) -> ProviderAccess | None:
        """A fresh token; None where this provider gives none."""

    async def tickets(self, dids: Sequence[str]) -> ProviderAccess:
        """Signatures made now, for downloads of these assets one after the other."""


class Encryptor(Protocol):
    """The provider that serves an environment's assets, and alone can decrypt what it encrypted."""

    async def encrypt(self, chain_id: int, content: bytes) -> str:
        """Hex with 0x, other each time. Raises TransientError, and UserError where it refuses."""


class ChainReader(Protocol):
    """What anyone can read of Ocean's contracts on one chain, without a key."""

    @property
    def chain_id(self) -> int: ...
    async def creation(self, did: str) -> CreatedNFT | None:
        """The NFT with this DID, by its creation event; whoever made it, so mind `creator`. Its
        `publication` is empty where the tokenURI isn't one of ours. Raises UserError if the node's
        chain id isn't the environment's."""

    async def first_ddo(self, creation: CreatedNFT) -> SetDDO | None:
        """The DDO that was set first, None if none was. Its owner may have written it."""

    async def current_ddo(self, creation: CreatedNFT) -> SetDDO | None:
        """The DDO that stands now, None if none does, or its owner revoked it. Its owner may have
        written it."""

    async def order(self, tx_id: str, datatoken: str) -> Order | None:
        """The order of this datatoken in this transaction, a reuse told as the order that it
        prolongs. None while the transaction isn't mined. Raises UserError (OrderForOtherAsset) if
        it is and orders none."""

    async def nft_owner(self, nft: str) -> str: ...
