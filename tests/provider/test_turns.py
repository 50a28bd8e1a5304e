"""Jobs of one environment at a provider without tokens: one after the other, none refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import Key
from posthuman.chain_ports import Provider
from posthuman.errors import TransientError
from posthuman.jobs.private import PrivateParts
from posthuman.jobs.steps import Anchor, private_name
from tests.fakes.cluster import FakeCluster
from tests.kube.builders import a_stage
from tests.provider.server import ProviderServer, selling
from tests.provider.shop import TEXT, an_input, plan_of, provider_of, staged

FILES = {"text.jsonl": b"x" * 300_000}


class Operator:
    """As far as it hands out proofs."""

    def __init__(self, server: ProviderServer) -> None:
        self.server, self.cluster = server, FakeCluster()
        self.parts = PrivateParts(self.cluster, self.provider_of)
        self.waited = 0

    async def provider_of(self, environment: ComputeEnvironment) -> Provider:
        return provider_of(self.server)

    async def job(self, name: str, folder: Path) -> None:
        """Its turn, its stage step, the end of its turn."""
        anchor = Anchor(namespace="work", name=name, job=Key("bob", name), job_uid=name)
        await self.cluster.create_anchor(anchor)
        step = msgspec.structs.replace(a_stage(), name=f"{name}-stage-1", bought=(TEXT,))
        while not await self._has_turn(anchor, step.name):
            self.waited += 1
            await asyncio.sleep(0.02)
        for file, content in self.cluster.privates[private_name(step.name)].content.items():
            (folder / "private").mkdir(parents=True, exist_ok=True)
            (folder / "private" / file).write_bytes(content)
        await staged(plan_of(folder, [an_input(self.server)]))
        await self.parts.drop(anchor, step.name, step.environment)

    async def _has_turn(self, anchor: Anchor, step_name: str) -> bool:
        step = msgspec.structs.replace(a_stage(), name=step_name, bought=(TEXT,))
        try:
            await self.parts.make(anchor, step)
        except TransientError:
            return False
        return True


async def test_three_jobs_at_once_disturb_nobody(tmp_path: Path) -> None:
    async with selling(has_tokens=False) as server:
        server.sell(TEXT, FILES)
        server.drop_after_bytes, server.drops = 100_000, 3
        operator = Operator(server)
        names = ("one", "two", "three")
        await asyncio.gather(*(operator.job(name, tmp_path / name) for name in names))
    for name in names:
        brought = tmp_path / name / "inputs" / TEXT.removeprefix("did:op:") / "0"
        assert brought.read_bytes() == FILES["text.jsonl"]
    assert server.refused == 0
    assert operator.waited > 0
    assert operator.cluster.turns == {}
