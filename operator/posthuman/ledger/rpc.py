"""The one door to a chain's node: opens it, and turns every fault of it into our own errors.

An RPC URL is a credential (providers put API keys into its path), so no message carries it: causes
are named by their kind, and are not chained, since their own text may hold the URL; and what web3
logs by itself, at whatever level, loses its URLs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from web3 import AsyncWeb3
from web3.exceptions import (
    BadFunctionCallOutput,
    ContractLogicError,
    RequestTimedOut,
    Web3Exception,
    Web3RPCError,
)

from posthuman.errors import PosthumanError, TransientError, UserError
from posthuman.ledger.batching import BatchingProvider
from posthuman.ledger.codec import forgiving_codec

REQUEST_SECONDS = 20.0
_TALKATIVE = (
    "web3.providers.AsyncHTTPProvider",
    "web3._utils.http_session_manager.HTTPSessionManager",
)
_URL = re.compile(r"\b\w+://\S+")
_ALREADY_SENT = ("already known", "nonce too low", "already imported", "alreadyknown")
_UNREACHABLE = (aiohttp.ClientError, asyncio.TimeoutError, OSError, RequestTimedOut)
_VENDOR_ERRORS = (*_UNREACHABLE, Web3Exception, json.JSONDecodeError)
_UNFUNDED = "insufficient funds"
_UNDERPRICED = "underpriced"
_TOO_MANY_REQUESTS = 429
_LIMITED_CODES = (-32005, 429)  # EIP-1474's "limit exceeded", and what providers write instead

Web3 = AsyncWeb3[BatchingProvider]


def open_web3(rpc_url: str) -> Web3:
    """A connection that never repeats a request by itself: trying again is the reconcile's task."""
    scrub_logs()
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    provider = BatchingProvider(
        rpc_url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None
    )
    web3 = AsyncWeb3(provider)
    web3.codec = forgiving_codec()
    return web3


class _WithoutUrls(logging.Filter):
    """Lets every record through, less its URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _URL.sub("<url>", record.getMessage()), ()
        return True


_WITHOUT_URLS = _WithoutUrls()


def scrub_logs() -> None:
    """Of those loggers of web3 that tell whom they ask; any number of times."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_WITHOUT_URLS)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise TransientError for a node's fault, UserError for a call that the contracts refuse."""
    try:
        yield
    except _VENDOR_ERRORS as error:
        raise _translate(error, doing) from None


def check_chain_id(actual: int, named: int) -> None:
    """Raises UserError if the node serves another chain than the environment names."""
    if actual != named:
        raise UserError(
            f"the node serves chain {actual}, the environment names chain {named}: correct "
            "spec.chain.chainId or the Secret of the node's URL",
            "ChainIdMismatch",
        )


def says_already_sent(error: Web3RPCError) -> bool:
    """Whether the node has the transaction, or one with its nonce: then look for the receipt."""
    text = str(error).lower()
    return any(words in text for words in _ALREADY_SENT)


def _translate(error: Exception, doing: str) -> PosthumanError:
    if isinstance(error, ContractLogicError):
        return UserError(f"{doing}: the contract refuses it: {error.message}", "WouldRevert")
    if isinstance(error, BadFunctionCallOutput):
        return UserError(f"{doing}: no such contract at that address", "ContractMissing")
    if isinstance(error, Web3RPCError):
        return _of_rpc(error, doing)
    if isinstance(error, aiohttp.ClientResponseError) and error.status == _TOO_MANY_REQUESTS:
        return _rate_limited(doing)
    if isinstance(error, _UNREACHABLE):
        return TransientError(f"{doing}: {_unreachable(error)}", "ChainUnreachable")
    return TransientError(f"{doing}: {type(error).__name__}: {scrubbed(error)}", "ChainFault")


def _rate_limited(doing: str) -> PosthumanError:
    return TransientError(
        f"{doing}: the node answers that it is asked too often; it goes on by itself, and sooner "
        "with a node that allows more requests a second",
        "RateLimited",
    )


def _of_rpc(error: Web3RPCError, doing: str) -> PosthumanError:
    said = (error.rpc_response or {}).get("error")
    if isinstance(said, dict) and said.get("code") in _LIMITED_CODES:
        return _rate_limited(doing)
    if _UNFUNDED in str(error).lower():
        return TransientError(
            f"{doing}: the signer can't pay for gas; send it some of the chain's coin",
            "PurseEmpty",
        )
    if _UNDERPRICED in str(error).lower():
        return TransientError(
            f"{doing}: the node wants a higher fee ({scrubbed(error)}); it is raised by and by",
            "Underpriced",
        )
    return TransientError(f"{doing}: the node answers: {scrubbed(error)}", "ChainFault")


def _unreachable(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the node answers HTTP {error.status}; check the Secret of its URL"
    if isinstance(error, aiohttp.InvalidURL):
        return "the node's URL is none; write it like https://node.example/…"
    return f"the node can't be reached ({type(error).__name__})"


def scrubbed(said: object) -> str:
    """What somebody else said, cut short, without the URLs in it."""
    return _URL.sub("<url>", str(said))[:300]
