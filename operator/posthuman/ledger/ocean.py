"""The Ledger port on Ocean's contracts (chain_ports.py): web3, and the account that signs.

Stands between the core and one chain. Its errors are posthuman.errors alone (rpc.py); it never
logs or repeats a key or a node's URL.

Assets are ERC721Template NFTs with one ERC20Template datatoken (template 1). That template knows no
cap, so the NFT's owner can always mint and sell; what keeps the operator from minting twice is the
outbox (assets/), and what keeps it from minting later is the NFT's transfer, which wipes minters.
The datatoken has no payment collector of its own, so payments go to whoever owns the NFT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from eth_typing import BlockNumber, ChecksumAddress, HexStr
from web3 import AsyncWeb3
from web3.constants import ADDRESS_ZERO
from web3.contract import AsyncContract
from web3.contract.async_contract import AsyncContractFunction
from web3.exceptions import TransactionNotFound
from web3.types import BlockIdentifier, TxReceipt

from posthuman.api.asset import PricingKind
from posthuman.api.environment import ChainSpec
from posthuman.chain import (
    PLAIN,
    CreatedNFT,
    MarketFee,
    Metadata,
    Publication,
    Receipt,
    Sale,
    SignerNonces,
    Spent,
    Transaction,
    UnsignedTransaction,
)
from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.contracts import Deployment, abi_of, deployment_of
from posthuman.ledger.creations import Creations, created_in, factory_contract
from posthuman.ledger.fees import GWEI, SMALLEST_TIP_WEI, FeePolicy
from posthuman.ledger.keys import LocalKey, SigningKey
from posthuman.ledger.logs import address_topic, logs_between
from posthuman.ledger.rpc import Web3, open_web3, translated
from posthuman.ledger.sales import dispenser_of, exchange_of
from posthuman.ledger.signer import WEI, Signer
from posthuman.ledger.token_uri import encode_token_uri

TEMPLATE_INDEX = 1
NFT_SYMBOL = "PHNFT"
DATATOKEN_SYMBOL = "PHDT"
TOKEN_ID = 1  # every Ocean NFT contract holds the one token
NO_CAP = 2**256 - 1
METADATA_ACTIVE = 0
_NFT_ABI = abi_of("ERC721Template", "setMetaData", "getMetaData", "safeTransferFrom", "ownerOf")
_TOKEN_ABI = abi_of("ERC20Template", "mint", "decimals")
_TRANSFER = AsyncWeb3.to_hex(AsyncWeb3.keccak(text="Transfer(address,address,uint256)"))


class Asked(NamedTuple):
    """Requests to a node; each may carry several calls, which are told by method."""

    http_requests: int
    calls: Mapping[str, int]


def open_ledger(rpc_url: str, private_key: bytes, chain: ChainSpec) -> OceanLedger:
    """With a bare key. Connects to nothing yet. Raises UserError for a key or a chain that can't
    be used."""
    return ledger_with(LocalKey(account_of(private_key)), rpc_url, chain)


def ledger_with(key: SigningKey, rpc_url: str, chain: ChainSpec) -> OceanLedger:
    """The same with any key, which stays open when the ledger is closed."""
    return OceanLedger(
        open_web3(rpc_url),
        key,
        chain.chain_id,
        deployment_of(chain),
        chain.confirmations,
        fee_policy(chain),
    )


def fee_policy(chain: ChainSpec) -> FeePolicy:
    """What may be offered for gas."""
    return FeePolicy(
        ceiling_wei=chain.max_fee_gwei * GWEI,
        smallest_tip_wei=SMALLEST_TIP_WEI.get(chain.chain_id, 0),
    )


class OceanLedger:
    """See chain_ports.Ledger."""

    def __init__(
        self,
        web3: Web3,
        key: SigningKey,
        chain_id: int,
        deployment: Deployment,
        confirmations: int,
        fees: FeePolicy,
    ) -> None:
        self._web3 = web3
        self._key = key
        self._signer = Signer(web3, key, chain_id, confirmations, fees)
        self._chain_id = chain_id
        self._height = 0  # the latest block that was told: a node that knows less of it lags
        self._deployment = deployment
        self._factory = factory_contract(web3, deployment)
        self._creations = Creations(web3, deployment, key.address)

    @property
    def chain_id(self) -> int:
        """As the environment says; `check` compares it with the node's."""
        return self._chain_id

    @property
    def signer(self) -> str:
        """Checksummed address."""
        return self._signer.address

    async def close(self) -> None:
        """Close the connections."""
        await self._web3.provider.disconnect()

    async def check(self) -> None:
        """Raises UserError: ChainIdMismatch, ContractMissing."""
        with translated("asking the node for its chain id"):
            actual = await self._web3.eth.chain_id
            code = await self._web3.eth.get_code(self._factory.address)
        self._signer.check_chain_id(actual)
        if not code:
            raise UserError(
                f"chain {actual} has no contract at {self._factory.address}: "
                "correct spec.chain.contracts.erc721Factory",
                "ContractMissing",
            )

    async def balance_wei(self) -> int:
        return await self._signer.balance_wei()

    async def nonces(self) -> SignerNonces:
        nonces = await self._signer.nonces()
        self._height = max(self._height, nonces.block)
        return nonces

    async def latest_block(self) -> int:
        with translated("asking for the latest block"):
            return await self._web3.eth.block_number

    async def spent_by(self, nonce: int) -> Spent | None:
        return await self._signer.spent_by(nonce)

    @property
    def asked(self) -> Asked:
        """How much the node has been asked so far."""
        return Asked(self._web3.provider.http_requests, dict(self._web3.provider.calls))

    async def creations(self) -> Sequence[CreatedNFT]:
        """All NFTs that the signer created, oldest first."""
        return await self._creations.all()

    async def find(self, publication_id: str) -> CreatedNFT | None:
        """The oldest, should there ever be two."""
        if not await self._signer.has_sent():
            return None
        for creation in await self._creations.all():
            if creation.publication.publication_id == publication_id:
                return await self._creations.complete(creation)
        return None

    async def prepare_create(
        self, publication: Publication, name: str, market_fee: MarketFee, sale: Sale = PLAIN
    ) -> UnsignedTransaction:
        signer = self.signer
        uri = encode_token_uri(publication, name)
        nft = (name, NFT_SYMBOL, TEMPLATE_INDEX, uri, True, signer)
        fee_wei = await self._fee_wei(market_fee)
        addresses = [
            signer,
            ADDRESS_ZERO,
            market_fee.address or ADDRESS_ZERO,
            market_fee.token or ADDRESS_ZERO,
        ]
        names = [name, DATATOKEN_SYMBOL]
        token: tuple[Any, ...] = (TEMPLATE_INDEX, names, addresses, [NO_CAP, fee_wei], [])
        call = await self._creating(nft, token, sale)
        return await self._prepare(call, f"creating the NFT {name!r}")

    async def _creating(
        self, nft: tuple[Any, ...], token: tuple[Any, ...], sale: Sale
    ) -> AsyncContractFunction:
        functions = self._factory.functions
        if sale.kind is PricingKind.FIXED_RATE:
            exchange = exchange_of(sale, self._deployment, await self._decimals(sale.token))
            return functions.createNftWithErc20WithFixedRate(nft, token, exchange)
        if sale.kind is PricingKind.FREE:
            dispenser = dispenser_of(self._deployment)
            return functions.createNftWithErc20WithDispenser(nft, token, dispenser)
        return functions.createNftWithErc20(nft, token)

    async def _fee_wei(self, fee: MarketFee) -> int:
        if not fee.address or not fee.token:
            return 0
        return int(Decimal(fee.amount).scaleb(await self._decimals(fee.token)))

    async def _decimals(self, token: str) -> int:
        with translated(f"reading the decimals of token {token}"):
            return int(await self._token(token).functions.decimals().call())

    async def prepare_metadata(self, nft: str, metadata: Metadata) -> UnsignedTransaction:
        call = self._nft(nft).functions.setMetaData(
            METADATA_ACTIVE,
            metadata.decryptor_url,
            "",
            bytes([metadata.flags]),
            metadata.data,
            metadata.digest,
            [],
        )
        return await self._prepare(call, f"setting the metadata of {nft}")

    async def prepare_mint(self, datatoken: str, to: str, wei: int) -> UnsignedTransaction:
        receiver = AsyncWeb3.to_checksum_address(to)
        call = self._token(datatoken).functions.mint(receiver, wei)
        return await self._prepare(call, f"minting {wei / WEI:f} of {datatoken}")

    async def prepare_transfer(self, nft: str, to: str) -> UnsignedTransaction:
        receiver = AsyncWeb3.to_checksum_address(to)
        call = self._nft(nft).functions.safeTransferFrom(self.signer, receiver, TOKEN_ID)
        return await self._prepare(call, f"transferring {nft} to {to}")

    async def prepare_replacement(self, raw: str) -> UnsignedTransaction:
        return await self._signer.prepare_replacement(raw)

    async def prepare_filler(self) -> UnsignedTransaction:
        return await self._signer.prepare(self.signer, "0x", "using up a nonce")

    async def _prepare(self, call: AsyncContractFunction, doing: str) -> UnsignedTransaction:
        with translated(doing):
            data = call._encode_transaction_data()
        return await self._signer.prepare(str(call.address), str(data), doing)

    async def check_signer(self) -> None:
        await self._key.check()

    async def sign(self, unsigned: UnsignedTransaction, nonce: int) -> Transaction:
        return await self._signer.sign(unsigned, nonce)

    async def send(self, raw: str) -> None:
        await self._signer.send(raw)

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        with translated(f"reading the receipt of {transaction_hash}"):
            latest, mined = await asyncio.gather(
                self._web3.eth.block_number, self._mined(transaction_hash)
            )
        self._height = max(self._height, latest)
        return self._receipt(mined, latest) if mined else None

    async def _mined(self, transaction_hash: str) -> TxReceipt | None:
        try:
            return await self._web3.eth.get_transaction_receipt(HexStr(transaction_hash))
        except TransactionNotFound:
            return None

    def _receipt(self, mined: TxReceipt, latest_block: int) -> Receipt:
        creation = created_in(self._factory, mined)
        return Receipt(
            hash=AsyncWeb3.to_hex(mined["transactionHash"]),
            block=mined["blockNumber"],
            succeeded=mined["status"] == 1,
            confirmations=max(latest_block - mined["blockNumber"] + 1, 0),
            nft=creation.nft if creation else "",
            datatoken=creation.datatoken if creation else "",
            gas_used=mined["gasUsed"],
            cost_wei=mined["gasUsed"] * mined["effectiveGasPrice"],
        )

    async def minted_wei(self, datatoken: str, to: str, since_block: int) -> int:
        topics = [_TRANSFER, address_topic(ADDRESS_ZERO), address_topic(to)]
        address = AsyncWeb3.to_checksum_address(datatoken)
        with translated(f"reading the mints of {datatoken}"):
            latest = max(self._height, await self._web3.eth.block_number)
            logs = await logs_between(self._web3, address, topics, since_block, latest)
        return sum(int.from_bytes(log["data"]) for log in logs)

    async def has_metadata(self, nft: str) -> bool:
        with translated(f"reading the metadata of {nft}"):
            call = self._nft(nft).functions.getMetaData()
            said = await call.call(block_identifier=self._block())
        return bool(said[3])

    async def nft_owner(self, nft: str) -> str:
        with translated(f"reading the owner of {nft}"):
            call = self._nft(nft).functions.ownerOf(TOKEN_ID)
            owner: ChecksumAddress = await call.call(block_identifier=self._block())
        return str(owner)

    def _block(self) -> BlockIdentifier:
        """Facts are read where the nonces were, so that a lagging node can't hide what is done."""
        return BlockNumber(self._height) if self._height else "latest"

    def _nft(self, address: str) -> AsyncContract:
        return self._web3.eth.contract(AsyncWeb3.to_checksum_address(address), abi=_NFT_ABI)

    def _token(self, address: str) -> AsyncContract:
        return self._web3.eth.contract(AsyncWeb3.to_checksum_address(address), abi=_TOKEN_ABI)
