"""Labels, annotations, names and paths of what a job has in the work namespace."""

from __future__ import annotations

from typing import Any

from posthuman.api.meta import (
    ANNOTATION_JOB,
    GROUP,
    LABEL_ATTEMPT,
    LABEL_JOB_UID,
    LABEL_MANAGED,
    LABEL_ROLE,
    Key,
)
from posthuman.jobs.steps import Anchor, Step

Manifest = dict[str, Any]

MANAGER = "posthuman-operator"  # the value of LABEL_MANAGED, and the operator's name in Events
MANAGED_SELECTOR = f"{LABEL_MANAGED}={MANAGER}"

LABEL_JOB_NAME = "batch.kubernetes.io/job-name"  # set by Kubernetes on the pods of a Job
LABEL_COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
LABEL_GPU_PRODUCT = "nvidia.com/gpu.product"  # set by NVIDIA's GPU feature discovery
LABEL_HOSTNAME = "kubernetes.io/hostname"

ANNOTATION_PLAN = f"{GROUP}/plan"  # the step's plan, which its pod reads as a file
ANNOTATION_SEAL_PLAN = f"{GROUP}/seal-plan"

PLAN_FOLDER = "/etc/posthuman"
PLAN_FILE = "plan.json"
SEAL_PLAN_FILE = "seal.json"


def claim_name(anchor_name: str) -> str:
    """The workspace's PersistentVolumeClaim."""
    return f"{anchor_name}-workspace"


def plan_name(step_name: str) -> str:
    """The ConfigMap of a plan that is too long for an annotation."""
    return f"{step_name}-plan"


def master_name(step_name: str) -> str:
    """The ClusterIP Service in front of rank 0."""
    return f"{step_name}-master"


def peers_name(step_name: str) -> str:
    """The headless Service, and the NetworkPolicy, of all ranks."""
    return f"{step_name}-peers"


def anchor_labels(anchor: Anchor) -> dict[str, str]:
    """Of everything a job owns."""
    return {LABEL_MANAGED: MANAGER, LABEL_JOB_UID: anchor.job_uid}


def step_labels(anchor: Anchor, step: Step) -> dict[str, str]:
    """Of a step's Job, its pods and what is made for them."""
    return {
        **anchor_labels(anchor),
        LABEL_ROLE: step.role.value,
        LABEL_ATTEMPT: str(step.attempt),
    }


def job_annotation(anchor: Anchor) -> dict[str, str]:
    """Whom to wake when the object changes."""
    return {ANNOTATION_JOB: str(anchor.job)}


def annotated_job(annotations: dict[str, str]) -> Key | None:
    """The ComputeJob that an object belongs to, or None for an object of another's."""
    namespace, slash, name = annotations.get(ANNOTATION_JOB, "").partition("/")
    return Key(namespace, name) if slash and namespace and name else None


def owned_metadata(anchor: Anchor, name: str, labels: dict[str, str]) -> Manifest:
    """Metadata of an object that goes when the anchor goes."""
    return {
        "name": name,
        "namespace": anchor.namespace,
        "labels": labels,
        "annotations": job_annotation(anchor),
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": anchor.name,
                "uid": anchor.uid,
                "blockOwnerDeletion": True,
            }
        ],
    }
