"""Steps: what a job wants to have running, in terms that a cluster and a laptop both understand.

`wanted_*` in jobs/plans.py makes them (pure); kube/ renders them as Kubernetes Jobs, local/ as
processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

import msgspec

from jobkit.plan import ExportPlan, LaunchPlan, StagePlan
from jobkit.report import Report
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import Progress
from posthuman.api.meta import Key

DEFAULT_MASTER_PORT = 29500  # torchrun's own


class Role(StrEnum):
    """Which part of a job's life a step is."""

    STAGE = "stage"
    RUN = "run"
    EXPORT = "export"


class Network(StrEnum):
    """What a step may reach."""

    OUTBOUND = "Outbound"
    PEERS = "Peers"


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of the workspace as the step sees it. `folder` is relative; "" is all of it."""

    folder: str
    path: str
    read_only: bool = False


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Of one pod; quantities as Kubernetes writes them."""

    cpu: str
    memory: str
    gpus: int = 0
    gpu_resource: str = "nvidia.com/gpu"
    shared_memory: str = ""


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The one object that owns all a job has in the work namespace, its volume too."""

    namespace: str
    name: str
    job: Key
    job_uid: str
    uid: str = ""
    workspace_size: str = "20Gi"
    storage_class_name: str = ""
    access_mode: str = "ReadWriteOnce"


class PrivateFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a step alone is given: one key of a Secret of the job's namespace."""

    file: str  # its name in the plan's private_dir
    secret: str
    key: str = ""  # the Secret's only key if empty


class Private(msgspec.Struct, frozen=True, kw_only=True):
    """A Secret of the work namespace that one step is given; `pulls`: a registry's credentials,
    which the kubelet takes and no container sees."""

    name: str
    content: Mapping[str, bytes]
    pulls: bool = False

    def __repr__(self) -> str:
        return f"Private({self.name})"


def private_name(step_name: str) -> str:
    """Of the Secret with the step's private files."""
    return f"{step_name}-private"


def pull_name(step_name: str) -> str:
    """Of the Secret that pulls the step's image."""
    return f"{step_name}-pull"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work: `nodes` pods of one image that run one program and end.

    `image` is "jobkit", "algorithms" (which the adapter knows by its configuration) or a reference.
    `command` empty: jobkit's subcommand for the role, with `plan`. Not empty: a custom container's
    own entrypoint; the adapter keeps its output in the workspace's logs/algorithm.log.
    `private` and `bought` make the step's Secret (`private_name`), which no other step is given;
    `pull_secret` names one of the job's namespace, copied to `pull_name`.
    """

    name: str
    role: Role
    attempt: int
    image: str
    plan: StagePlan | LaunchPlan | ExportPlan | None
    resources: Resources
    mounts: tuple[Mount, ...]
    network: Network
    environment: ComputeEnvironment  # seal, scheduling, store credentials
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    nodes: int = 1
    variables: Mapping[str, str] = {}
    store_credentials: bool = False
    private: tuple[PrivateFile, ...] = ()
    bought: tuple[str, ...] = ()  # DIDs that it downloads through the environment's provider
    pull_secret: str = ""
    code: str = ""  # the file that `command` runs, where a job brings its own code

    @property
    def has_private(self) -> bool:
        """Whether it is given a Secret of its own."""
        return bool(self.private or self.bought)


class StepState(msgspec.Struct, frozen=True, kw_only=True):
    """What is seen of a step. `Pending`: made, but not every pod runs yet."""

    name: str
    role: Role
    attempt: int
    state: Literal["Pending", "Running", "Succeeded", "Failed"]
    created_at: str = ""
    started_at: str = ""  # when the last of its pods began to run
    ended_at: str = ""
    exit_code: int | None = None
    report: Report | None = None
    reason: str = ""  # of waiting or failing, as Kubernetes says it: ImagePullBackOff, OOMKilled
    message: str = ""
    progress: Progress | None = None
    live_pods: int = 0  # pods that may still be running something, terminating ones included
    terminating: bool = False
