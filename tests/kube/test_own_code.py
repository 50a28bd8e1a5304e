"""Ocean's algorithms, unchanged, on data and code that a provider sells: on a laptop, in real pods.

And who sees what nobody may see: the stage step alone, for as long as it runs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eth_account import Account

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import LABEL_FOR_JOBS, Key
from posthuman.chain_ports import Provider
from posthuman.errors import NotFound
from posthuman.jobs.plans import anchor_of, wanted_run, wanted_stage
from posthuman.jobs.private import PrivateParts
from posthuman.jobs.steps import Anchor, Step, StepState, private_name
from posthuman.kube.render import Images
from posthuman.kube.resources import CONFIG_MAPS, JOBS, PODS, SECRETS
from posthuman.ledger.account import DEV_KEYS
from posthuman.local.layout import layout_of
from posthuman.ports import Cluster
from posthuman.provider.ocean import OceanProvider
from tests.fakes.ledger import FakeChain, FakeReader
from tests.kube.crds import apply_crds
from tests.kube.oceans import (
    CODE,
    FILES,
    OWN_PROGRAM,
    PYTHON,
    SIGNED,
    TEXT,
    buying_job,
    place,
    seen_of,
)
from tests.kube.worlds import RealWorld, real_world
from tests.local.worlds import LaptopWorld, laptop_world
from tests.provider.server import ProviderServer, selling


class Setting:
    """A cluster, a provider that sells to it, and one job."""

    def __init__(
        self, cluster: Cluster, tenant: str, work: str, server: ProviderServer, image: str
    ) -> None:
        self.cluster, self.tenant, self.server, self.image = cluster, tenant, server, image
        self.environment = place(work, server, "file:///workspace/store")
        self.private = PrivateParts(cluster, self.provider_of)
        self.job: ComputeJob
        self.steps: list[Step] = []

    async def provider_of(self, environment: ComputeEnvironment) -> Provider:
        """Alice's, with one of anvil's well-known keys."""
        assert environment.spec.chain
        consumer = Account.from_key(DEV_KEYS[3])
        return OceanProvider(environment.spec.chain, consumer, FakeReader(FakeChain()))

    @property
    def anchor(self) -> Anchor:
        made = anchor_of(self.job, self.environment)
        return msgspec.structs.replace(made, workspace_size="16Mi")

    async def stage(self, entrypoint: str) -> StepState:
        """The job, and its stage step to the end."""
        container = {"image": self.image, "entrypoint": entrypoint}
        self.job = buying_job(self.tenant, container)
        await self.cluster.create_anchor(self.anchor)
        seen = seen_of(self.job, self.environment, self.server)
        return await self.run_step(wanted_stage(seen, self.environment, 1))

    async def run(self) -> StepState:
        """The algorithm, to its end."""
        seen = seen_of(self.job, self.environment, self.server)
        return await self.run_step(wanted_run(seen, self.environment, 1))

    async def run_step(self, step: Step) -> StepState:
        self.steps.append(step)
        await self.private.make(self.anchor, step)
        await self.cluster.create_step(self.anchor, step)
        async with asyncio.timeout(90):
            while True:
                state = await self.cluster.step(self.anchor.namespace, step.name)
                if state and state.state in ("Succeeded", "Failed") and not state.live_pods:
                    return state
                await asyncio.sleep(0.1)

    async def drop(self) -> None:
        """As a job does once its stage step has ended."""
        await self.private.drop(self.anchor, self.steps[0].name, self.environment)

    async def log(self) -> str:
        """What the algorithm said."""
        raise NotImplementedError


class OnLaptop(Setting):
    def __init__(self, world: LaptopWorld, folder: Path, server: ProviderServer) -> None:
        super().__init__(world.cluster, world.tenant, world.work, server, "any/image:1")
        self.folder = folder

    async def log(self) -> str:
        layout = layout_of(self.folder, self.job.metadata.key)
        return (layout.workspace / "logs" / "algorithm.log").read_text()


class InPods(Setting):
    def __init__(self, world: RealWorld, image: str, server: ProviderServer) -> None:
        super().__init__(world.cluster, world.tenant, world.work, server, image)
        self.world = world

    async def pod(self, step: Step) -> dict[str, Any]:
        selector = f"batch.kubernetes.io/job-name={step.name}"
        (found,) = (await self.world.client.list(PODS, self.world.work, selector))["items"]
        return dict(found)

    async def log(self) -> str:
        name = (await self.pod(self.steps[-1]))["metadata"]["name"]
        async with self.world.client.stream_log(PODS, self.world.work, name, {}) as stream:
            return (await stream.read()).decode()


@asynccontextmanager
async def shop(host: str = "127.0.0.1") -> AsyncIterator[ProviderServer]:
    async with selling(host=host) as server:
        server.sell(TEXT, FILES)
        server.sell(CODE, {"algorithm.py": PYTHON})
        yield server


@asynccontextmanager
async def in_pods(facts: Mapping[str, str]) -> AsyncIterator[InPods]:
    images = Images(jobkit=facts["JOBKIT_IMAGE"], algorithms=facts["ALGORITHMS_IMAGE"])
    kubeconfig = apply_crds(facts)
    async with shop(facts["HOST_IP"]) as server, real_world(kubeconfig, images) as world:
        labels = {LABEL_FOR_JOBS: "true"}
        await world.lend("mine", {"user": SIGNED}, labels)
        yield InPods(world, facts["ALGORITHMS_IMAGE"], server)


@asynccontextmanager
async def on_laptop(folder: Path) -> AsyncIterator[OnLaptop]:
    async with shop() as server, laptop_world(folder) as world:
        world.lend("mine", {"user": SIGNED})
        yield OnLaptop(world, folder, server)


@pytest.fixture(params=["laptop", pytest.param("pods", marks=pytest.mark.cluster)])
async def setting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Setting]:
    if request.param == "laptop":
        async with on_laptop(tmp_path) as laptop:
            yield laptop
        return
    async with in_pods(request.getfixturevalue("cluster_facts")) as pods:
        yield pods


@pytest.fixture
async def pods(cluster_facts: Mapping[str, str]) -> AsyncIterator[InPods]:
    async with in_pods(cluster_facts) as pods:
        yield pods


async def test_a_python_script_of_ocean_s_reads_what_was_bought(setting: Setting) -> None:
    state = await setting.stage("python3 $ALGO")
    assert state.state == "Succeeded", state
    state = await setting.run()
    assert state.state == "Succeeded", (state, await setting.log())
    said = json.loads((await setting.log()).splitlines()[-1])
    assert said == {
        "secret": "",
        "parameters": {"steps": 5},
        "files": {"0": "1,2,3\n4,5,6\n", "1": "7\n"},
        "ddos": [TEXT, CODE],
    }
    assert set(setting.server.user_data) == {SIGNED.decode(), ""}


async def test_a_container_s_own_entrypoint_reads_what_was_bought(setting: Setting) -> None:
    await setting.stage(OWN_PROGRAM)
    state = await setting.run()
    assert state.state == "Succeeded", (state, await setting.log())
    assert (await setting.log()).splitlines()[-1] == "2 lines"


async def test_an_algorithm_s_exit_code_is_its_job_s(setting: Setting) -> None:
    await setting.stage("python3 $ALGO one two three")
    state = await setting.run()
    assert (state.state, state.exit_code) == ("Failed", 3)


async def test_a_shell_s_syntax_is_run_by_a_shell(setting: Setting) -> None:
    await setting.stage("cd / && python3 $ALGO && echo done")
    state = await setting.run()
    assert state.state == "Succeeded", (state, await setting.log())
    assert (await setting.log()).splitlines()[-1] == "done"


@pytest.mark.cluster
async def test_what_is_private_is_mounted_by_the_stage_pod_alone(pods: InPods) -> None:
    client, work = pods.world.client, pods.world.work
    await pods.stage("python3 $ALGO")
    stage, name = pods.steps[0], private_name(pods.steps[0].name)
    secret = await client.get(SECRETS, work, name)
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner["name"] == pods.anchor.name
    await pods.drop()
    with pytest.raises(NotFound):
        await client.get(SECRETS, work, name)
    await pods.run()
    volumes = {
        step.role.value: [v["name"] for v in (await pods.pod(step))["spec"]["volumes"]]
        for step in pods.steps
    }
    assert "private" in volumes["stage"]
    assert "private" not in volumes["run"]
    for resource in (CONFIG_MAPS, JOBS, PODS):
        listed = json.dumps((await client.list(resource, work))["items"])
        assert SIGNED.decode() not in listed
        assert "token-0" not in listed
    assert stage.has_private


@pytest.mark.cluster
async def test_a_secret_without_the_mark_is_not_taken(pods: InPods) -> None:
    job, other = (Key(pods.tenant, name) for name in ("bob-trains", "eve-trains"))
    await pods.world.lend("unmarked", {"user": SIGNED}, {})
    await pods.world.lend("his", {"user": SIGNED}, {LABEL_FOR_JOBS: job.name})
    for who, name in ((job, "unmarked"), (other, "his")):
        with pytest.raises(NotFound, match="kubectl label secret") as refused:
            await pods.cluster.job_secret(who, name)
        assert refused.value.reason == "SecretNotForJobs"
    with pytest.raises(NotFound) as absent:
        await pods.cluster.job_secret(job, "absent")
    assert absent.value.reason == "SecretNotFound"
    for name in ("mine", "his"):
        assert dict(await pods.cluster.job_secret(job, name)) == {"user": SIGNED}
