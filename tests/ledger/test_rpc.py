"""A node's faults become our errors, and an RPC URL, which is a credential, stays out of them."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from posthuman.api.environment import ChainSpec
from posthuman.api.meta import SecretKeyRef
from posthuman.errors import PosthumanError, TransientError, UserError
from posthuman.ledger.account import DEV_KEYS
from posthuman.ledger.contracts import deployment_of
from posthuman.ledger.ocean import OceanLedger, open_ledger
from tests.services.chain import Chain

API_KEY = "secret-api-key"


class Node:
    """A node that answers as a test says."""

    def __init__(self) -> None:
        self.status = 200
        self.answers: dict[str, Any] = {}
        self.body: str | None = None
        self.asked: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.asked += asked if isinstance(asked, list) else [asked]
        if self.body is not None:
            return web.Response(text=self.body, status=self.status)
        one = not isinstance(asked, list)
        answer = self._answer(asked) if one else [self._answer(each) for each in asked]
        return web.json_response(answer, status=self.status)

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        answer = self.answers.get(asked["method"], {"result": "0x0"})
        if callable(answer):
            answer = answer(*asked["params"])
        return {"jsonrpc": "2.0", "id": asked["id"], **answer}


@pytest.fixture
async def node() -> AsyncIterator[tuple[Node, OceanLedger]]:
    said = Node()
    app = web.Application()
    app.router.add_post(f"/{API_KEY}", said.answer)
    server = TestServer(app)
    await server.start_server()
    ledger = open_ledger(str(server.make_url(f"/{API_KEY}")), DEV_KEYS[0], polygon())
    yield said, ledger
    await ledger.close()
    await server.close()


def polygon(chain_id: int = 137) -> ChainSpec:
    """A chain of Ocean's address book."""
    secret = SecretKeyRef(name="chain")
    return ChainSpec(chain_id=chain_id, rpc_url_secret=secret, signer_secret=secret)


def told(error: PosthumanError) -> str:
    """Everything that a log would hold of it."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_an_http_error_is_transient_and_keeps_the_key(
    node: tuple[Node, OceanLedger], status: int
) -> None:
    said, ledger = node
    said.status = status
    with pytest.raises(TransientError, match=str(status)) as raised:
        await ledger.balance_wei()
    assert raised.value.reason == "ChainUnreachable"
    assert API_KEY not in told(raised.value)


async def test_being_asked_too_often_is_told_as_that(node: tuple[Node, OceanLedger]) -> None:
    said, ledger = node
    said.status = 429
    with pytest.raises(TransientError) as raised:
        await ledger.balance_wei()
    assert raised.value.reason == "RateLimited"
    said.status = 200
    said.answers["eth_getBalance"] = {"error": {"code": -32005, "message": "limit exceeded"}}
    with pytest.raises(TransientError) as raised:
        await ledger.balance_wei()
    assert raised.value.reason == "RateLimited"


async def test_a_node_behind_another_answers_no_question_about_events(
    node: tuple[Node, OceanLedger],
) -> None:
    """Some nodes say "no events" of blocks that they don't have."""
    said, ledger = node
    first = deployment_of(polygon()).first_block
    heights = iter([first + 10, first + 9])
    said.answers["eth_blockNumber"] = lambda: {"result": hex(next(heights))}
    said.answers["eth_getTransactionCount"] = {"result": "0x1"}
    said.answers["eth_getLogs"] = {"result": []}
    with pytest.raises(TransientError) as raised:
        await ledger.find("absent")
    assert raised.value.reason == "NodeLags"


async def test_an_answer_that_is_no_json_is_transient(node: tuple[Node, OceanLedger]) -> None:
    said, ledger = node
    said.body = "<html>maintenance</html>"
    with pytest.raises(TransientError) as raised:
        await ledger.balance_wei()
    assert API_KEY not in told(raised.value)


async def test_a_nodes_own_words_are_kept_without_urls(node: tuple[Node, OceanLedger]) -> None:
    said, ledger = node
    message = f"upstream https://node.example.com/{API_KEY} timed out"
    said.answers["eth_getBalance"] = {"error": {"code": -32000, "message": message}}
    with pytest.raises(TransientError, match="timed out") as raised:
        await ledger.balance_wei()
    assert API_KEY not in told(raised.value)


async def test_an_unreachable_node_is_transient() -> None:
    ledger = open_ledger(f"http://127.0.0.1:1/{API_KEY}", DEV_KEYS[0], polygon())
    with pytest.raises(TransientError, match="can't be reached") as raised:
        await ledger.check()
    assert API_KEY not in told(raised.value)
    await ledger.close()


async def test_what_is_no_url_is_said_to_be_none() -> None:
    ledger = open_ledger(f"node/{API_KEY}", DEV_KEYS[0], polygon())
    with pytest.raises(TransientError, match="URL is none") as raised:
        await ledger.check()
    assert API_KEY not in told(raised.value)
    await ledger.close()


@pytest.mark.parametrize(
    "message",
    [
        "already known",
        "ALREADY_EXISTS: already known",
        "AlreadyKnown",
        "nonce too low: next nonce 5, tx nonce 4",
        "transaction already imported",
    ],
)
async def test_what_is_sent_already_is_success(
    node: tuple[Node, OceanLedger], message: str
) -> None:
    said, ledger = node
    said.answers["eth_sendRawTransaction"] = {"error": {"code": -32000, "message": message}}
    await ledger.send("0x02")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("insufficient funds for gas * price + value", "PurseEmpty"),
        ("replacement transaction underpriced", "Underpriced"),
        ("transaction underpriced: gas tip cap 1, minimum needed 25000000000", "Underpriced"),
        ("txpool is full", "ChainFault"),
    ],
)
async def test_what_could_not_be_sent_is_told(
    node: tuple[Node, OceanLedger], message: str, reason: str
) -> None:
    said, ledger = node
    said.answers["eth_sendRawTransaction"] = {"error": {"code": -32000, "message": message}}
    with pytest.raises(TransientError) as raised:
        await ledger.send("0x02")
    assert raised.value.reason == reason


async def test_events_are_read_in_ranges_that_shrink_where_the_node_refuses(
    node: tuple[Node, OceanLedger],
) -> None:
    said, ledger = node
    first = deployment_of(polygon()).first_block

    def logs(wanted: dict[str, str]) -> dict[str, Any]:
        size = int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) + 1
        if size > 1000:
            return {"error": {"code": -32005, "message": "block range too large"}}
        return {"result": []}

    said.answers["eth_getLogs"] = logs
    said.answers["eth_blockNumber"] = {"result": hex(first + 2499)}
    said.answers["eth_getTransactionCount"] = {"result": "0x1"}
    assert await ledger.find("absent") is None
    ranges = [
        (int(asked["params"][0]["fromBlock"], 16), int(asked["params"][0]["toBlock"], 16))
        for asked in said.asked
        if asked["method"] == "eth_getLogs"
    ]
    assert ranges == [
        (first, first + 2499),
        (first, first + 999),
        (first + 1000, first + 1999),
        (first + 2000, first + 2499),
    ]


async def test_settled_blocks_are_read_once(node: tuple[Node, OceanLedger]) -> None:
    said, ledger = node
    first = deployment_of(polygon()).first_block
    said.answers["eth_getLogs"] = {"result": []}
    said.answers["eth_getTransactionCount"] = {"result": "0x1"}
    for latest in (first + 500, first + 600):
        said.answers["eth_blockNumber"] = {"result": hex(latest)}
        await ledger.find("absent")
    starts = [
        int(asked["params"][0]["fromBlock"], 16)
        for asked in said.asked
        if asked["method"] == "eth_getLogs"
    ]
    assert starts == [first, first + 500 - 64 + 1]


async def test_an_account_that_never_sent_anything_created_nothing(
    node: tuple[Node, OceanLedger],
) -> None:
    said, ledger = node
    assert await ledger.find("absent") is None
    assert [asked["method"] for asked in said.asked] == ["eth_getTransactionCount"]


def test_known_chains_are_in_the_address_book() -> None:
    known = deployment_of(polygon())
    assert known.contracts.erc721_factory == "0x6fd867E5AEE6D62a24f97939db90C4e67A73A651"
    assert known.first_block == 28443969


def test_an_unknown_chain_says_what_to_set() -> None:
    with pytest.raises(UserError, match=r"spec\.chain\.contracts\.erc721Factory"):
        deployment_of(polygon(4242))


@pytest.mark.chain
async def test_a_wrong_factory_is_told(chain: Chain) -> None:
    contracts = msgspec.structs.replace(
        chain.contracts, erc721_factory="0x000000000000000000000000000000000000dEaD"
    )
    spec = msgspec.structs.replace(chain.spec(), contracts=contracts)
    ledger = open_ledger(chain.url, DEV_KEYS[0], spec)
    with pytest.raises(UserError) as raised:
        await ledger.check()
    assert raised.value.reason == "ContractMissing"
    await ledger.close()


@pytest.mark.chain
async def test_a_missing_nft_is_told(chain: Chain) -> None:
    async with chain.ledger() as ledger:
        with pytest.raises(UserError) as raised:
            await ledger.nft_owner("0x000000000000000000000000000000000000dEaD")
        assert raised.value.reason == "ContractMissing"
