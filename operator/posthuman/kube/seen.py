"""What the operator reads of Jobs and pods: a small typed part of large objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from posthuman.api.meta import ANNOTATION_JOB, LABEL_JOB_UID, LABEL_ROLE, Key
from posthuman.kube.names import LABEL_COMPLETION_INDEX, LABEL_JOB_NAME, annotated_job


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Camel case on the wire; what is not named here is not read."""


class SeenMeta(Part, frozen=True, kw_only=True):
    """ObjectMeta."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return Key(self.namespace, self.name)

    @property
    def job_uid(self) -> str:
        """Of the ComputeJob."""
        return self.labels.get(LABEL_JOB_UID, "")

    @property
    def role(self) -> str:
        """stage, run or export; empty for what isn't a step."""
        return self.labels.get(LABEL_ROLE, "")

    @property
    def compute_job(self) -> Key | None:
        """Whom to wake."""
        return annotated_job(self.annotations)


class SeenCondition(Part, frozen=True, kw_only=True):
    """Of a Job or a pod."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None

    @property
    def holds(self) -> bool:
        """Is it so."""
        return self.status == "True"


class Waiting(Part, frozen=True, kw_only=True):
    """A container that doesn't run yet."""

    reason: str = ""
    message: str = ""


class Running(Part, frozen=True, kw_only=True):
    """A container that runs."""

    started_at: str | None = None


class Terminated(Part, frozen=True, kw_only=True):
    """A container that ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(Part, frozen=True, kw_only=True):
    """One of the three, or none yet."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class SeenContainer(Part, frozen=True, kw_only=True):
    """One container of a pod."""

    name: str
    state: ContainerState = ContainerState()


class PodStatus(Part, frozen=True, kw_only=True):
    """What the kubelet and others say of a pod."""

    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    conditions: tuple[SeenCondition, ...] = ()
    init_container_statuses: tuple[SeenContainer, ...] = ()
    container_statuses: tuple[SeenContainer, ...] = ()


class SeenPod(Part, frozen=True, kw_only=True):
    """One pod of a step. `gone`: it was deleted; kept for what it last said."""

    metadata: SeenMeta
    status: PodStatus = PodStatus()
    gone: bool = False

    @property
    def job_key(self) -> Key:
        """The step's Job."""
        return Key(self.metadata.namespace, self.metadata.labels.get(LABEL_JOB_NAME, ""))

    @property
    def index(self) -> int:
        """The rank of this pod's node. Anybody may label a pod of theirs with any text."""
        text = self.metadata.labels.get(LABEL_COMPLETION_INDEX, "0")
        return int(text) if text.isdecimal() else -1

    @property
    def finished(self) -> bool:
        """Nothing of it runs any more."""
        return self.gone or self.status.phase in ("Succeeded", "Failed")

    @property
    def main(self) -> ContainerState:
        """Of the one container that isn't an init container."""
        statuses = self.status.container_statuses
        return statuses[0].state if statuses else ContainerState()


class JobStatus(Part, frozen=True, kw_only=True):
    """What the Job controller says."""

    conditions: tuple[SeenCondition, ...] = ()
    completion_time: str | None = None


class JobPart(Part, frozen=True, kw_only=True):
    """Of a Job's spec."""

    completions: int = 1
    suspend: bool = False


class SeenJob(Part, frozen=True, kw_only=True):
    """One step's Job."""

    metadata: SeenMeta
    spec: JobPart = JobPart()
    status: JobStatus = JobStatus()


def seen_job(body: Mapping[str, Any]) -> SeenJob:
    """The Job, without the plan in its annotations."""
    job = msgspec.convert(body, SeenJob)
    return msgspec.structs.replace(job, metadata=_lean(job.metadata))


def seen_pod(body: Mapping[str, Any]) -> SeenPod:
    """The pod, without the plan in its annotations."""
    pod = msgspec.convert(body, SeenPod)
    return msgspec.structs.replace(pod, metadata=_lean(pod.metadata))


def _lean(metadata: SeenMeta) -> SeenMeta:
    job = metadata.annotations.get(ANNOTATION_JOB)
    kept = {ANNOTATION_JOB: job} if job else {}
    return msgspec.structs.replace(metadata, annotations=kept)
