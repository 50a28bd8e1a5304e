"""Sign, send and wait in one go: for deployments and a person's own account.

Never for the operator's signer, whose transactions are stored before they are sent (assets/).
"""

from __future__ import annotations

from typing import Any, cast

from eth_account.signers.local import LocalAccount
from web3 import AsyncWeb3
from web3.contract.async_contract import AsyncContractConstructor, AsyncContractFunction
from web3.exceptions import TimeExhausted
from web3.types import TxReceipt

from posthuman.errors import TransientError, UserError
from posthuman.ledger.rpc import Web3, translated

RECEIPT_SECONDS = 180.0
POLL_SECONDS = 0.05

Call = AsyncContractConstructor | AsyncContractFunction


async def transact(web3: Web3, account: LocalAccount, call: Call, doing: str) -> TxReceipt:
    """The receipt, once mined. Raises TransientError, and UserError for what is refused."""
    with translated(doing):
        nonce = await web3.eth.get_transaction_count(account.address)
        transaction = await call.build_transaction({"from": account.address, "nonce": nonce})
        signed = account.sign_transaction(cast("dict[str, Any]", transaction))
        sent = await web3.eth.send_raw_transaction(signed.raw_transaction)
        try:
            receipt = await web3.eth.wait_for_transaction_receipt(
                sent, RECEIPT_SECONDS, POLL_SECONDS
            )
        except TimeExhausted:
            raise TransientError(f"{doing}: not mined in {RECEIPT_SECONDS:.0f} s") from None
    if receipt["status"] != 1:
        raise UserError(f"{doing}: reverted in transaction {AsyncWeb3.to_hex(sent)}", "Reverted")
    return receipt
