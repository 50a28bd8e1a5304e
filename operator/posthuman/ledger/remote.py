"""A key that somebody else keeps: Web3Signer, or a node, asked by JSON-RPC to sign.

What comes back is believed as little as a stranger's: it must be what was asked for, byte for byte
but for the signature, and the signature must be the account's. Its URL is a credential, as a
node's is (rpc.py), and part of no message.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_typing import ChecksumAddress
from eth_utils.exceptions import ValidationError
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from posthuman.chain import Transaction, UnsignedTransaction
from posthuman.errors import TransientError, UserError
from posthuman.ledger.raw import difference, sender_of
from posthuman.ledger.rpc import REQUEST_SECONDS, scrub_logs, scrubbed

_FAULTS = (aiohttp.ClientError, asyncio.TimeoutError, OSError, Web3Exception, json.JSONDecodeError)
_SIGNATURE = re.compile(r"0x([0-9a-f]{128})(00|01|1b|1c)")
_V = {"00": "1b", "01": "1c"}


class RemoteKey:
    """See keys.SigningKey."""

    def __init__(self, url: str, address: str) -> None:
        scrub_logs()
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        self._provider = AsyncHTTPProvider(
            url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None
        )
        self._address = AsyncWeb3.to_checksum_address(address)

    @property
    def address(self) -> ChecksumAddress:
        """Checksummed."""
        return self._address

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.disconnect()

    async def check(self) -> None:
        """Whether it answers, and has the account. One that lists no accounts may yet have it."""
        answer = await self._answer("eth_accounts", [])
        accounts = answer.get("result")
        if isinstance(accounts, list) and self._address.lower() not in map(_lower, accounts):
            raise UserError(
                f"the remote signer has no key for {self._address}: load it there, or correct "
                "spec.chain.remoteSigner in a new environment",
                "SignerMissing",
            )

    async def sign_transaction(
        self, unsigned: UnsignedTransaction, nonce: int, chain_id: int
    ) -> Transaction:
        result = await self._ask("eth_signTransaction", [_call(self._address, unsigned, nonce)])
        raw = result.get("raw") if isinstance(result, dict) else result  # nodes: {raw, tx}
        wrong = _wrong(raw, unsigned, nonce, chain_id, self._address)
        if wrong:
            raise self._otherwise(f"a transaction with nonce {nonce}", wrong)
        raw = str(raw).lower()
        return Transaction(
            hash=AsyncWeb3.to_hex(AsyncWeb3.keccak(hexstr=raw)), raw=raw, nonce=nonce
        )

    async def sign_typed_data(self, typed_data: Mapping[str, Any]) -> str:
        """The data travel as text: Web3Signer takes nothing else, nodes take both."""
        said = [self._address, json.dumps(typed_data)]
        answer = await self._answer("eth_signTypedData", said)
        if "result" not in answer:  # nodes know it by its other name alone
            other = await self._answer("eth_signTypedData_v4", said)
            answer = other if "result" in other else answer
        form = _SIGNATURE.fullmatch(str(self._result("eth_signTypedData", answer)).lower())
        signature = f"0x{form[1]}{_V.get(form[2], form[2])}" if form else ""
        if not form or _typed_by(typed_data, signature) != self._address:
            raise self._otherwise("typed data", f"no signature of {self._address} over them")
        return signature

    def _otherwise(self, asked: str, came: str) -> UserError:
        return UserError(
            f"the remote signer was asked to sign {asked} and answers {came}: nothing of it is "
            "used. Check which signer spec.chain.remoteSigner.urlSecret names, and its chain id",
            "SignedOtherwise",
        )

    async def _ask(self, method: str, parameters: list[Any]) -> Any:
        return self._result(method, await self._answer(method, parameters))

    def _result(self, method: str, answer: Mapping[str, Any]) -> Any:
        if "result" in answer:
            return answer["result"]
        error = answer.get("error")
        told = error.get("message") if isinstance(error, dict) else error
        raise UserError(
            f"the remote signer refuses {method}: {scrubbed(told)}; allow it there, and it is "
            "asked again",
            "SignerRefused",
        )

    async def _answer(self, method: str, parameters: list[Any]) -> Mapping[str, Any]:
        try:
            answer: Any = await self._provider.make_request(RPCEndpoint(method), parameters)
        except _FAULTS as error:
            raise _unreachable(error) from None  # the cause may hold the URL
        return answer if isinstance(answer, dict) else {}


def _unreachable(error: Exception) -> TransientError:
    status = error.status if isinstance(error, aiohttp.ClientResponseError) else None
    why = f"answers HTTP {status}" if status else f"can't be reached ({type(error).__name__})"
    return TransientError(
        f"the remote signer {why}; check the Secret of its URL, and whether it runs. It is asked "
        "again by and by",
        "SignerUnreachable",
    )


def _lower(value: Any) -> str:
    return str(value).lower()


def _call(address: str, unsigned: UnsignedTransaction, nonce: int) -> dict[str, str]:
    call = {
        "from": address,
        "to": unsigned.to,
        "gas": hex(unsigned.gas),
        "nonce": hex(nonce),
        "value": "0x0",
        "data": unsigned.data,
    }
    if unsigned.tip_wei is None:
        return {**call, "gasPrice": hex(unsigned.max_fee_wei)}
    fees = (hex(unsigned.max_fee_wei), hex(unsigned.tip_wei))
    return {**call, "maxFeePerGas": fees[0], "maxPriorityFeePerGas": fees[1]}


def _wrong(raw: Any, unsigned: UnsignedTransaction, nonce: int, chain_id: int, address: str) -> str:
    """What is wrong with the signed bytes, in words; empty if nothing is."""
    if not isinstance(raw, str) or not re.fullmatch(r"0x([0-9a-fA-F]{2})+", raw):
        return "no signed transaction"
    signed = bytes.fromhex(raw[2:])
    differs = difference(signed, unsigned, nonce, chain_id)
    if differs:
        return differs
    sender = sender_of(signed)
    return "" if sender == address else f"one that is signed by {sender or 'nobody'}"


def _typed_by(typed_data: Mapping[str, Any], signature: str) -> str:
    message = encode_typed_data(full_message=dict(typed_data))
    try:
        return str(Account.recover_message(message, signature=bytes.fromhex(signature[2:])))
    except (BadSignature, ValidationError):
        return ""
