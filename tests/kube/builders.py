"""Steps as the tests of this folder need them: a GPU environment, and a small CPU one."""

from __future__ import annotations

from typing import Any

import msgspec

from jobkit.plan import AlgorithmFacts, ExportPlan, LaunchPlan, StagePlan, Store, UriPolicy
from posthuman.api.environment import (
    ComputeEnvironment,
    EnvironmentSpec,
    Hardware,
    NamedSecret,
    Scheduling,
    SealKind,
    StoreSpec,
)
from posthuman.api.meta import Key, Meta
from posthuman.jobs.steps import Anchor, Mount, Network, Resources, Role, Step
from posthuman.kube.render import Images

IMAGES = Images(jobkit="registry.example/jobkit:1", algorithms="registry.example/algorithms:1")
STORE = Store(url="s3://results/alice", endpoint="http://10.0.0.5:7070")
STORE_SPEC = StoreSpec(
    url=STORE.url, endpoint=STORE.endpoint, credentials_secret=NamedSecret(name="store")
)
A100 = Hardware(gpus_per_node=8, max_nodes=2, cpu_per_node="96", memory_per_node="900Gi")
GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}

RUN_MOUNTS = (
    Mount(folder="inputs", path="/data/inputs", read_only=True),
    Mount(folder="outputs/1", path="/data/outputs"),
    Mount(folder="logs", path="/data/logs"),
    Mount(folder="scratch", path="/data/scratch"),
)
WORKSPACE_MOUNT = (Mount(folder="", path="/workspace"),)


def an_environment(seal: SealKind = SealKind.BOTH, **spec: Any) -> ComputeEnvironment:
    fields: dict[str, Any] = {"work_namespace": "work", "store": STORE_SPEC, "seal": seal, **spec}
    return ComputeEnvironment(metadata=Meta(name="small"), spec=EnvironmentSpec(**fields))


def a_gpu_environment(seal: SealKind = SealKind.BOTH) -> ComputeEnvironment:
    scheduling = Scheduling(
        node_selector={"pool": "gpu"},
        tolerations=(GPU_TOLERATION,),
        priority_class_name="training",
        runtime_class_name="nvidia",
    )
    return an_environment(seal, hardware=A100, scheduling=scheduling)


def an_anchor(name: str = "job-1234", namespace: str = "work", uid: str = "anchor-uid") -> Anchor:
    return Anchor(
        namespace=namespace, name=name, job=Key("bob", "bob-trains"), job_uid="1234", uid=uid
    )


def a_run(environment: ComputeEnvironment | None = None, nodes: int = 1, **fields: Any) -> Step:
    plan = LaunchPlan(
        command=("python", "/opt/posthuman/algorithms/train"),
        nodes=nodes,
        processes_per_node=fields.pop("processes", 1),
        grace_seconds=25.0,
    )
    step = Step(
        name="job-1234-run-1",
        role=Role.RUN,
        attempt=1,
        image="algorithms",
        plan=plan,
        resources=Resources(cpu="1", memory="1Gi", shared_memory="64Mi"),
        mounts=RUN_MOUNTS,
        network=Network.PEERS,
        environment=environment or an_environment(),
        nodes=nodes,
        variables={"INPUTS": "/data/inputs"},
    )
    return msgspec.structs.replace(step, **fields)


def a_gpu_run(nodes: int = 2, seal: SealKind = SealKind.BOTH) -> Step:
    resources = Resources(cpu="96", memory="900Gi", gpus=8, shared_memory="64Gi")
    return a_run(a_gpu_environment(seal), nodes=nodes, processes=8, resources=resources)


def a_custom_run(**fields: Any) -> Step:
    own: dict[str, Any] = {
        "image": "registry.example/own@sha256:ab",
        "command": ("/bin/train",),
        "args": ("--fast",),
        "plan": None,
    }
    return a_run(**{**own, **fields})


def a_stage(environment: ComputeEnvironment | None = None, **parameters: Any) -> Step:
    return Step(
        name="job-1234-stage-1",
        role=Role.STAGE,
        attempt=1,
        image="jobkit",
        plan=StagePlan(store=STORE, inputs=(), uri_policy=UriPolicy(), parameters=parameters),
        resources=Resources(cpu="250m", memory="1Gi"),
        mounts=WORKSPACE_MOUNT,
        network=Network.OUTBOUND,
        environment=environment or an_environment(),
        store_credentials=True,
    )


def an_export(environment: ComputeEnvironment | None = None) -> Step:
    plan = ExportPlan(
        store=STORE,
        destination="jobs/1234",
        outcome="Succeeded",
        job={"uid": "1234"},
        algorithm=AlgorithmFacts(name="train"),
    )
    return msgspec.structs.replace(
        a_stage(environment), name="job-1234-export-1", role=Role.EXPORT, plan=plan
    )
