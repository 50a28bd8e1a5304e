"""An environment whose store is away: said once, and asked again in measure."""

from __future__ import annotations

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import Key
from posthuman.chain_ports import Ledger, Provider
from posthuman.environments.reconcile import BUSY_RECHECK_SECONDS, EnvironmentReconciler
from posthuman.errors import NotFound, TransientError
from posthuman.local.objects import Objects
from posthuman.ports import ResultStore
from tests.builders import HeldClock, environment
from tests.fakes.cluster import FakeCluster


class AwayStore:
    """Fails with other words each time, as S3 does: a request's id, a duration."""

    def __init__(self) -> None:
        self.asked = 0

    async def of(self, environment: ComputeEnvironment) -> ResultStore:
        self.asked += 1
        raise TransientError(f"the store is away, request {self.asked}")


async def no_ledger(environment: ComputeEnvironment) -> Ledger:
    raise NotFound("there is no chain")


async def no_provider(environment: ComputeEnvironment) -> Provider:
    raise NotFound("there is no provider")


async def test_a_message_that_always_changes_does_not_wake_itself() -> None:
    clock, store = HeldClock(), AwayStore()
    objects = Objects(now=clock.now)
    objects.create(environment(ready=False))
    cluster = FakeCluster(objects)
    reconciler = EnvironmentReconciler(
        cluster, store.of, no_ledger, no_provider, clock, lambda _chain, _signer, _wei: None
    )
    for _ in range(20):  # each write of a status wakes it at once
        await reconciler.reconcile(Key("", "a100"))
    assert (store.asked, cluster.writes) == (1, 1)
    clock.forward(BUSY_RECHECK_SECONDS)
    await reconciler.reconcile(Key("", "a100"))
    assert store.asked == 2, "but it is asked again in time"
