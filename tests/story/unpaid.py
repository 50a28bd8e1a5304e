"""Jobs beside the story's own that don't pay for themselves: one has no order, one has Bob's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import yaml

from posthuman.api.conditions import find_condition
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.cli.story import cast
from posthuman.cli.story.script import Uploads, filled
from tests.cluster.kubectl import kubectl
from tests.services.world import World
from tests.story.mirror import Mirror
from tests.story.telling import ClusterStage, Telling

UNPAID = Key("charlie", "charlie-forgets")
AGAIN = Key("bob", "bob-again")
BOB_FILE, CHARLIE_FILE = "bob-trains.yaml", "charlie-trains.yaml"
UNNAMED = {"CHARLIE_ORDER": "0x" + 64 * "0"}


def without_order(given: Mapping[str, str]) -> dict[str, Any]:
    """Charlie's job on Bob's model, which he hasn't ordered."""
    body = _copy(CHARLIE_FILE, {**UNNAMED, **given}, UNPAID)
    del body["spec"]["inputs"][0]["order"]
    return body


class ContestedStage(ClusterStage):
    """Where a second job tries to start on Bob's order, while his first one uses it."""

    def __init__(self, world: World, telling: Telling, uploads: Uploads) -> None:
        super().__init__(telling, telling.stage(uploads).given)
        self._world = world
        self._mirror = telling.mirror

    async def apply(self, file: str, orders: Mapping[str, str]) -> None:
        await super().apply(file, orders)
        if file == BOB_FILE:
            await asyncio.to_thread(self._contest, orders)

    def _contest(self, orders: Mapping[str, str]) -> None:
        self._world.recorder.wait(self._has_begun, 60, "Bob's job to begin")
        self._world.apply(_copy(BOB_FILE, {**self.given, **orders}, AGAIN))
        self._world.recorder.wait(self._is_refused, 60, f"{AGAIN} to be kept waiting")
        kubectl("-n", AGAIN.namespace, "delete", "computejob", AGAIN.name, "--timeout=60s")

    def _has_begun(self) -> bool:
        return phase_of(self._mirror, cast.BOB_TRAINS) not in (None, Phase.PENDING)

    def _is_refused(self) -> bool:
        job = self._mirror.find(ComputeJob, AGAIN)
        why = find_condition(job.status.conditions, "Succeeded") if job else None
        return why is not None and why.reason == "OrderInUse"


def phase_of(mirror: Mirror, key: Key) -> Phase | None:
    """None for a job that isn't there, or that nobody has looked at yet."""
    job = mirror.find(ComputeJob, key)
    return job.status.phase if job else None


def _copy(file: str, given: Mapping[str, str], key: Key) -> dict[str, Any]:
    """A job of the story under another name, which publishes nothing."""
    body: dict[str, Any] = yaml.safe_load(filled(file, given))
    body["metadata"] = {"name": key.name, "namespace": key.namespace}
    del body["spec"]["publish"]
    return body
