"""An Ocean chain in memory, and a Ledger on it; the contract suite holds it to the real one.

Its addresses are numbers and its signatures are readable JSON, but its rules are Ocean's: one nonce
after another, a mint by minters alone, all roles wiped by the NFT's transfer.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Callable
from typing import Any

import msgspec
from eth_utils.address import to_checksum_address

from posthuman.assets.did import did_of
from posthuman.chain import (
    METADATA_ENCRYPTED,
    METADATA_LZMA,
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
from posthuman.errors import TransientError, UserError

CHAIN_ID = 8996
GAS = 100_000
FEE_WEI = 10**9
FACTORY = "0x" + "fa" * 20


class Nft(msgspec.Struct, kw_only=True):
    """An NFT and its datatoken."""

    creation: CreatedNFT
    owner: str
    ddos: list[SetDDO] = []
    minted: list[tuple[str, int, int]] = []  # to, wei, block


class FakeChain:
    """What every account shares. With `automine` off, blocks come from `mine` alone."""

    def __init__(self) -> None:
        self.automine = True
        self.reachable = True
        self.block = 0
        self.base_fee_wei = 0  # what offers less stays in the pool
        self.balances: dict[str, int] = {}
        self.nonces: dict[str, int] = {}
        self.pool: dict[tuple[str, int], str] = {}
        self.receipts: dict[str, Receipt] = {}
        self.spent: dict[tuple[str, int], str] = {}  # sender and nonce to the transaction's hash
        self.nfts: dict[str, Nft] = {}
        self.orders: dict[str, Order] = {}  # by transaction; set by tests, block included
        self.calls: list[str] = []  # every request, by name

    def put(self, creation: CreatedNFT, owner: str, *ddos: bytes) -> None:
        """An NFT that was made long ago, and whose DDO was set so many times."""
        said = [SetDDO(content=ddo, digest=hashlib.sha256(ddo).hexdigest()) for ddo in ddos]
        self.nfts[creation.nft] = Nft(creation=creation, owner=owner, ddos=said)

    def mine(self) -> None:
        """One block, with every transaction whose nonce is next."""
        self.block += 1
        while ready := [key for key in sorted(self.pool) if self._is_next(key)]:
            for key in ready:
                self._include(key[0], self.pool.pop(key))

    def _is_next(self, key: tuple[str, int]) -> bool:
        pays = decode(self.pool[key])["fee"] >= self.base_fee_wei
        return pays and key[1] == self.nonces.get(key[0], 0)

    def by_datatoken(self, datatoken: str) -> Nft:
        """The NFT a datatoken belongs to."""
        return next(nft for nft in self.nfts.values() if nft.creation.datatoken == datatoken)

    def _include(self, sender: str, raw: str) -> None:
        said = decode(raw)
        nonce = self.nonces.get(sender, 0)
        self.nonces[sender] = nonce + 1
        self.spent[sender, nonce] = hash_of(raw)
        self.balances[sender] -= said["gas"] * said["fee"]
        refusal = self.refusal(sender, said["call"])
        created = None if refusal else self._apply(sender, said["call"], hash_of(raw), nonce)
        self.receipts[hash_of(raw)] = Receipt(
            hash=hash_of(raw),
            block=self.block,
            succeeded=not refusal,
            confirmations=1,
            nft=created.nft if created else "",
            datatoken=created.datatoken if created else "",
            gas_used=said["gas"],
            cost_wei=said["gas"] * said["fee"],
        )

    def refusal(self, sender: str, call: dict[str, Any]) -> str:
        """Why the contracts would revert a call; empty if they wouldn't."""
        match call["name"]:
            case "create" | "filler":
                return ""
            case "mint":
                owner = self.by_datatoken(call["datatoken"]).owner
                return "" if owner == sender else "NOT MINTER"
            case _:
                return "" if self.nfts[call["nft"]].owner == sender else "not owner"

    def _apply(
        self, sender: str, call: dict[str, Any], transaction: str, nonce: int
    ) -> CreatedNFT | None:
        match call["name"]:
            case "create":
                return self._create(sender, call, transaction, nonce)
            case "metadata":
                self.nfts[call["nft"]].ddos.append(msgspec.convert(call["ddo"], SetDDO))
            case "mint":
                minted = self.by_datatoken(call["datatoken"]).minted
                minted.append((call["to"], call["wei"], self.block))
            case "transfer":
                self.nfts[call["nft"]].owner = call["to"]
        return None

    def _create(
        self, sender: str, call: dict[str, Any], transaction: str, nonce: int
    ) -> CreatedNFT:
        creation = CreatedNFT(
            publication=msgspec.convert(call["publication"], Publication),
            nft=address(f"nft {transaction}"),
            datatoken=address(f"datatoken {transaction}"),
            hash=transaction,
            block=self.block,
            creator=sender,
            name=call["title"],
            nonce=nonce,
        )
        self.nfts[creation.nft] = Nft(creation=creation, owner=sender)
        return creation


class FakeLedger:
    """See chain_ports.Ledger. `before_call` is told of each request, and may raise."""

    def __init__(
        self,
        chain: FakeChain,
        name: str = "signer",
        purse_wei: int = 10**18,
        chain_id: int = 8996,
        confirmations: int = 1,
    ) -> None:
        self.chain = chain
        self._confirmations = confirmations
        self.ceiling_wei = 500 * 10**9
        self._chain_id = chain_id
        self._signer = address(name)
        self.before_call: Callable[[str], None] = lambda name: None
        chain.balances.setdefault(self._signer, purse_wei)

    @property
    def chain_id(self) -> int:
        return self._chain_id

    @property
    def signer(self) -> str:
        return self._signer

    async def check(self) -> None:
        self._request("check")
        self._check_chain_id()

    def _check_chain_id(self) -> None:
        if self._chain_id != CHAIN_ID:
            raise UserError(f"the node serves chain {CHAIN_ID}", "ChainIdMismatch")

    async def balance_wei(self) -> int:
        self._request("balance_wei")
        return self.chain.balances[self._signer]

    async def nonces(self) -> SignerNonces:
        self._request("nonces")
        self._check_chain_id()
        settled = mined = pending = self.chain.nonces.get(self._signer, 0)
        while (self._signer, pending) in self.chain.pool:
            pending += 1
        while settled and self._confirmed(settled - 1) < self._confirmations:
            settled -= 1
        block = self.chain.block
        return SignerNonces(settled=settled, mined=mined, pending=pending, block=block)

    async def latest_block(self) -> int:
        self._request("latest_block")
        return self.chain.block

    async def spent_by(self, nonce: int) -> Spent | None:
        self._request("spent_by")
        if (self._signer, nonce) not in self.chain.spent:
            return None
        spent = self.chain.spent[self._signer, nonce]
        return Spent(hash=spent, confirmations=self._confirmed(nonce))

    def _confirmed(self, nonce: int) -> int:
        receipt = self.chain.receipts[self.chain.spent[self._signer, nonce]]
        return self.chain.block - receipt.block + 1

    async def find(self, publication_id: str) -> CreatedNFT | None:
        self._request("find")
        created = (nft.creation for nft in self.chain.nfts.values())
        found = (
            creation
            for creation in created
            if creation.creator == self._signer
            and creation.publication.publication_id == publication_id
        )
        return next(found, None)

    async def prepare_create(
        self, publication: Publication, name: str, market_fee: MarketFee, sale: Sale = PLAIN
    ) -> UnsignedTransaction:
        said = msgspec.to_builtins(publication)
        return self._prepare(FACTORY, {"name": "create", "publication": said, "title": name})

    async def prepare_metadata(self, nft: str, metadata: Metadata) -> UnsignedTransaction:
        said = msgspec.to_builtins(_as_read(metadata))
        return self._prepare(nft, {"name": "metadata", "nft": nft, "ddo": said})

    async def prepare_mint(self, datatoken: str, to: str, wei: int) -> UnsignedTransaction:
        call = {"name": "mint", "datatoken": datatoken, "to": to_checksum_address(to), "wei": wei}
        return self._prepare(datatoken, call)

    async def prepare_transfer(self, nft: str, to: str) -> UnsignedTransaction:
        call = {"name": "transfer", "nft": nft, "to": to_checksum_address(to)}
        return self._prepare(nft, call)

    async def prepare_replacement(self, raw: str) -> UnsignedTransaction:
        self._request("prepare_replacement")
        said = decode(raw)
        fee_wei = max(said["fee"] * 9 // 8 + 1, self.chain.base_fee_wei)
        if fee_wei > self.ceiling_wei:
            raise TransientError(f"gas costs {fee_wei} wei", "FeeCeiling")
        to = said["call"].get("nft") or said["call"].get("datatoken") or FACTORY
        data = json.dumps(said["call"]).encode().hex()
        return UnsignedTransaction(
            to=to, data=data, gas=said["gas"], max_fee_wei=fee_wei, tip_wei=1
        )

    async def prepare_filler(self) -> UnsignedTransaction:
        return self._prepare(self._signer, {"name": "filler"})

    def _prepare(self, to: str, call: dict[str, Any]) -> UnsignedTransaction:
        self._request(f"prepare_{call['name']}")
        if refusal := self.chain.refusal(self._signer, call):
            raise UserError(f"{call['name']}: {refusal}", "WouldRevert")
        if self.chain.balances[self._signer] < GAS * FEE_WEI * 2:
            raise TransientError(f"{self._signer} can't pay", "PurseEmpty")
        data = json.dumps(call).encode().hex()
        fee_wei = FEE_WEI + len(self.chain.calls)  # fees are never the same twice
        return UnsignedTransaction(to=to, data=data, gas=GAS, max_fee_wei=fee_wei, tip_wei=1)

    async def check_signer(self) -> None:
        self._request("check_signer")

    async def sign(self, unsigned: UnsignedTransaction, nonce: int) -> Transaction:
        said = {
            "from": self._signer,
            "nonce": nonce,
            "gas": unsigned.gas,
            "fee": unsigned.max_fee_wei,
            "call": json.loads(bytes.fromhex(unsigned.data)),
        }
        raw = "0x" + json.dumps(said, sort_keys=True).encode().hex()
        return Transaction(hash=hash_of(raw), raw=raw, nonce=nonce)

    async def send(self, raw: str) -> None:
        self._request("send")
        said = decode(raw)
        sender, nonce = said["from"], said["nonce"]
        if nonce < self.chain.nonces.get(sender, 0):
            return
        if self.chain.balances[sender] < said["gas"] * said["fee"]:
            raise TransientError(f"{sender} can't pay", "PurseEmpty")
        waiting = self.chain.pool.get((sender, nonce), raw)
        if waiting != raw and said["fee"] < decode(waiting)["fee"] * 1.1:
            raise TransientError("replacement transaction underpriced", "Underpriced")
        self.chain.pool[sender, nonce] = raw
        if self.chain.automine:
            self.chain.mine()

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        self._request("receipt")
        found = self.chain.receipts.get(transaction_hash)
        if found is None:
            return None
        return msgspec.structs.replace(found, confirmations=self.chain.block - found.block + 1)

    async def minted_wei(self, datatoken: str, to: str, since_block: int) -> int:
        self._request("minted_wei")
        receiver = to_checksum_address(to)
        minted = self.chain.by_datatoken(datatoken).minted
        return sum(wei for to, wei, block in minted if to == receiver and block >= since_block)

    async def has_metadata(self, nft: str) -> bool:
        self._request("has_metadata")
        return bool(self.chain.nfts[nft].ddos)

    async def nft_owner(self, nft: str) -> str:
        self._request("nft_owner")
        if nft not in self.chain.nfts:
            raise UserError(f"{nft}: no such contract", "ContractMissing")
        return self.chain.nfts[nft].owner

    def _request(self, name: str) -> None:
        self.before_call(name)
        self.chain.calls.append(name)
        if not self.chain.reachable:
            raise TransientError(f"{name}: the node can't be reached", "ChainUnreachable")


class FakeReader:
    """See chain_ports.ChainReader."""

    def __init__(self, chain: FakeChain) -> None:
        self.chain = chain

    @property
    def chain_id(self) -> int:
        return CHAIN_ID

    async def creation(self, did: str) -> CreatedNFT | None:
        created = (nft.creation for nft in self.chain.nfts.values())
        return next((found for found in created if did_of(found.nft, CHAIN_ID) == did), None)

    async def first_ddo(self, creation: CreatedNFT) -> SetDDO | None:
        ddos = self.chain.nfts[creation.nft].ddos
        return ddos[0] if ddos else None

    async def current_ddo(self, creation: CreatedNFT) -> SetDDO | None:
        ddos = self.chain.nfts[creation.nft].ddos
        return ddos[-1] if ddos else None

    async def order(self, tx_id: str, datatoken: str) -> Order | None:
        if not self.chain.reachable:
            raise TransientError("order: the node can't be reached", "ChainUnreachable")
        found = self.chain.orders.get(tx_id)
        if found is None:
            return None
        if found.datatoken != datatoken:
            raise UserError(f"{tx_id} orders no datatoken {datatoken}", "OrderForOtherAsset")
        confirmations = self.chain.block - found.block + 1
        return msgspec.structs.replace(found, confirmations=confirmations)

    async def nft_owner(self, nft: str) -> str:
        return self.chain.nfts[nft].owner


def _as_read(metadata: Metadata) -> SetDDO:
    clear = lzma.decompress(metadata.data) if metadata.flags == METADATA_LZMA else metadata.data
    encrypted = bool(metadata.flags & METADATA_ENCRYPTED)
    digest = metadata.digest.hex()
    return SetDDO(content=b"" if encrypted else clear, digest=digest, encrypted=encrypted)


def address(name: str) -> str:
    """A checksummed address that is the same each time."""
    return str(to_checksum_address("0x" + hashlib.sha256(name.encode()).hexdigest()[:40]))


def hash_of(raw: str) -> str:
    """A transaction's hash."""
    return "0x" + hashlib.sha256(raw.encode()).hexdigest()


def decode(raw: str) -> dict[str, Any]:
    """What a raw transaction says."""
    said: dict[str, Any] = json.loads(bytes.fromhex(raw.removeprefix("0x")))
    return said
