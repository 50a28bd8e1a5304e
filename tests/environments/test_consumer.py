"""In whose name an environment downloads: told in its status, and why not."""

from __future__ import annotations

import msgspec

from posthuman.api.environment import ChainSpec, ComputeEnvironment
from posthuman.api.meta import Key, SecretKeyRef
from posthuman.chain_ports import Ledger, Provider
from posthuman.environments.reconcile import EnvironmentReconciler
from posthuman.errors import NotFound
from posthuman.local.objects import Objects
from posthuman.ports import ResultStore
from tests.builders import HeldClock, environment
from tests.fakes.cluster import FakeCluster
from tests.fakes.provider import CONSUMER, FakeProvider
from tests.fakes.result_store import FakeResultStore


async def a_store(environment: ComputeEnvironment) -> ResultStore:
    return FakeResultStore()


async def no_ledger(environment: ComputeEnvironment) -> Ledger:
    raise NotFound("there is no chain")


async def a_provider(environment: ComputeEnvironment) -> Provider:
    return FakeProvider()


async def no_secret(environment: ComputeEnvironment) -> Provider:
    raise NotFound("there is no Secret work/consumer", "SecretNotFound")


def with_consumer_key() -> ComputeEnvironment:
    made = environment(ready=False)
    chain = ChainSpec(
        chain_id=8996,
        rpc_url_secret=SecretKeyRef(name="rpc"),
        consumer_key_secret=SecretKeyRef(name="consumer"),
    )
    return msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, chain=chain))


async def looked_at(made: ComputeEnvironment, secret_is_there: bool) -> ComputeEnvironment:
    clock = HeldClock()
    objects = Objects(now=clock.now)
    objects.create(made)
    reconciler = EnvironmentReconciler(
        FakeCluster(objects),
        a_store,
        no_ledger,
        a_provider if secret_is_there else no_secret,
        clock,
        lambda _chain, _signer, _wei: None,
    )
    for _ in range(2):  # the finalizer first
        await reconciler.reconcile(Key("", made.metadata.name))
    found = objects.find(ComputeEnvironment, made.metadata.key)
    assert found is not None
    return found


def reason_of(made: ComputeEnvironment) -> str:
    found = [one for one in made.status.conditions if one.type == "ConsumerKeyReadable"]
    return found[0].reason if found else ""


async def test_buyers_are_told_whom_to_name_as_consumer() -> None:
    seen = await looked_at(with_consumer_key(), secret_is_there=True)
    assert (seen.status.consumer_address, reason_of(seen)) == (CONSUMER, "Readable")


async def test_a_key_that_is_not_there_is_said() -> None:
    seen = await looked_at(with_consumer_key(), secret_is_there=False)
    assert (seen.status.consumer_address, reason_of(seen)) == ("", "SecretNotFound")


async def test_an_environment_without_one_is_asked_nothing() -> None:
    seen = await looked_at(environment(ready=False), secret_is_there=False)
    assert (seen.status.consumer_address, reason_of(seen)) == ("", "")
