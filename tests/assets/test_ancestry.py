"""Whom a model comes from, read from the chain: once what can't change, each time what can."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.assets.ancestry import MOST_ANCESTORS, Ancestry
from posthuman.assets.did import did_of
from posthuman.assets.trust import Line
from posthuman.chain import CreatedNFT, SetDDO
from posthuman.errors import TransientError
from tests.assets.lines import EVERYTHING, ddo, put_line, service
from tests.assets.world import always
from tests.builders import CHAIN, asset, environment
from tests.fakes.ledger import FakeChain, FakeReader, address
from tests.fakes.result_store import FakeResultStore


class CountingReader(FakeReader):
    """Counts what it is asked; `fault` is raised instead of an answer."""

    def __init__(self, chain: FakeChain) -> None:
        super().__init__(chain)
        self.asked: Counter[str] = Counter()
        self.fault: TransientError | None = None

    async def creation(self, did: str) -> CreatedNFT | None:
        self._count("creation")
        return await super().creation(did)

    async def first_ddo(self, creation: CreatedNFT) -> SetDDO | None:
        self._count("first")
        return await super().first_ddo(creation)

    async def current_ddo(self, creation: CreatedNFT) -> SetDDO | None:
        self._count("current")
        return await super().current_ddo(creation)

    def _count(self, name: str) -> None:
        self.asked[name] += 1
        if self.fault:
            raise self.fault


class Bench:
    """A chain with assets that come from each other."""

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.reader = CountingReader(self.chain)
        self.store = FakeResultStore()
        self.ancestry = Ancestry(always(self.reader), always(self.store))
        self.environment = environment(chain=CHAIN)

    def put(self, name: str, *parents: str, ddos: tuple[bytes, ...] = (EVERYTHING,)) -> str:
        """Its DID."""
        put_line(self.chain, named(name), *ddos, parents=parents)
        return did(name)

    async def line(self, name: str) -> Line:
        custody = await self.ancestry.look(self.environment, {"model": did(name)})
        return custody.lines["model"]


def named(name: str) -> ModelAsset:
    made = asset(name)
    status = msgspec.structs.replace(made.status, nft=address(name), did=did(name))
    return msgspec.structs.replace(made, status=status)


def did(name: str) -> str:
    return did_of(address(name), 8996)


async def test_a_line_is_the_asset_and_all_its_ancestors_each_once() -> None:
    bench = Bench()
    root = bench.put("root")
    left, right = bench.put("left", root), bench.put("right", root)
    bench.put("merged", left, right)
    line = await bench.line("merged")
    assert [one.did for one in line.custodians] == [did("merged"), left, right, root]
    assert line.problem is None


async def test_what_cant_change_is_read_once_and_what_can_each_time() -> None:
    bench = Bench()
    bench.put("child", bench.put("parent"))
    for _ in range(3):
        await bench.line("child")
    assert bench.reader.asked == {"creation": 2, "first": 2, "current": 6}


async def test_another_environment_reads_for_itself() -> None:
    bench = Bench()
    bench.put("model")
    await bench.line("model")
    bench.environment = environment("other", chain=CHAIN)
    await bench.line("model")
    assert bench.reader.asked["creation"] == 2


async def test_the_first_and_the_current_ddo_are_told_apart() -> None:
    bench = Bench()
    bench.put("model", ddos=(ddo(service("train")), ddo(service("infer"))))
    (one,) = (await bench.line("model")).custodians
    assert [found.id for found in one.first or ()] == ["train"]
    assert [found.id for found in one.current or ()] == ["infer"]


async def test_a_fault_of_the_chain_is_a_wait_and_heals() -> None:
    bench = Bench()
    bench.put("model")
    bench.reader.fault = TransientError("the node is away", "ChainUnreachable")
    problem = (await bench.line("model")).problem
    assert problem
    assert problem.reason == "ChainUnreachable"
    bench.reader.fault = None
    assert (await bench.line("model")).problem is None


async def test_a_parent_that_isnt_on_this_chain_is_a_wait() -> None:
    bench = Bench()
    bench.put("model", did("nowhere"))
    problem = (await bench.line("model")).problem
    assert problem
    assert problem.reason == "NotOnChain"


async def test_circles_and_endless_lines_end() -> None:
    bench = Bench()
    bench.put("one", did("two"))
    bench.put("two", did("one"))
    assert len((await bench.line("one")).custodians) == 2
    for number in range(MOST_ANCESTORS + 1):
        bench.put(f"n{number}", did(f"n{number + 1}"))
    problem = (await bench.line("n0")).problem
    assert problem
    assert problem.reason == "LineTooLong"


def encrypted(text: bytes) -> SetDDO:
    return SetDDO(content=b"", digest=hashlib.sha256(text).hexdigest(), encrypted=True)


async def test_an_encrypted_ddo_is_read_from_the_store_under_the_digest_that_the_chain_names() -> (
    None
):
    bench = Bench()
    bench.put("model")
    said = encrypted(EVERYTHING)
    bench.chain.nfts[address("model")].ddos[:] = [said]
    (one,) = (await bench.line("model")).custodians
    assert (one.first, one.current) == (None, None)
    for kept, services in ((b"{}", None), (EVERYTHING, 3)):
        bench.store.objects[f"ddos/{said.digest}.json"] = kept
        (one,) = (await bench.line("model")).custodians
        assert services == (len(one.first) if one.first is not None else None)


async def test_an_algorithm_is_told_as_it_stands_now() -> None:
    bench = Bench()
    bench.put("model")
    words: dict[str, Any] = {"entrypoint": "run", "checksum": "sha256:1"}
    algorithm = {"metadata": {"algorithm": {"container": words}}}
    bench.put("program", ddos=(b"{}", msgspec.json.encode(algorithm)))
    dids = {"model": did("model")}
    custody = await bench.ancestry.look(bench.environment, dids, did("program"))
    assert custody.algorithm
    checksum = hashlib.sha256(b"runsha256:1").hexdigest()
    assert custody.algorithm.container_section_checksum == checksum
    unknown = await bench.ancestry.look(bench.environment, dids, did("nowhere"))
    assert unknown.algorithm is None
    assert unknown.lines["model"].problem is None
