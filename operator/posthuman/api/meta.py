"""Names, labels and metadata that the three kinds share."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

GROUP = "compute.posthuman.network"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
PLURALS = {
    "ComputeJob": "computejobs",
    "ModelAsset": "modelassets",
    "ComputeEnvironment": "computeenvironments",
}

FINALIZER = f"{GROUP}/cleanup"
LABEL_JOB_UID = f"{GROUP}/job-uid"  # on everything a job owns in the work namespace
LABEL_ROLE = f"{GROUP}/role"  # stage, run, export
LABEL_ATTEMPT = f"{GROUP}/attempt"
LABEL_MANAGED = "app.kubernetes.io/managed-by"  # = posthuman-operator
LABEL_WORK_NAMESPACE = f"{GROUP}/work-namespace"  # "true" on a namespace the chart prepared
LABEL_FOR_JOBS = f"{GROUP}/for-jobs"  # of a Secret: "true", any job may name it; else that one
ANNOTATION_JOB = f"{GROUP}/job"  # "<namespace>/<name>": whom to wake
ANNOTATION_PUBLISH_AGAIN = f"{GROUP}/publish-again"  # on a job: the finishedAt that it takes back


class Key(NamedTuple):
    """Where an object is; `namespace` is empty for a cluster-scoped one."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of everything that travels in an object: camel case there, frozen here."""


class Meta(Wire, frozen=True, kw_only=True):
    """The part of ObjectMeta the operator reads. Timestamps are RFC 3339 in UTC."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return Key(self.namespace, self.name)


class NamedRef(Wire, frozen=True, kw_only=True):
    """An object of the same or no namespace."""

    name: str


class SecretKeyRef(Wire, frozen=True, kw_only=True):
    """One key of a Secret in the environment's work namespace."""

    name: str
    key: str = ""


class Condition(Wire, frozen=True, kw_only=True):
    """A standard Kubernetes condition: a reason in one word and a sentence."""

    type: str
    status: str  # True, False, Unknown
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0
