"""From a step to the Kubernetes objects that run it: pure, so that a test reads facts.

One anchor (a ConfigMap) a job owns everything; one Indexed Job a step, one pod a node. The plan
travels in the pod's annotations and is read there as a file, which costs no further object; a plan
that is too long for that gets a ConfigMap.
"""

from __future__ import annotations

import msgspec

from jobkit.plan import LaunchPlan, SealPlan
from posthuman.jobs.plans import grace_seconds
from posthuman.jobs.steps import Anchor, Network, Role, Step, private_name, pull_name
from posthuman.kube.containers import (
    PRIVATE_VOLUME,
    USER_ID,
    main_container,
    needs_seal,
    seal_container,
)
from posthuman.kube.names import (
    ANNOTATION_PLAN,
    ANNOTATION_SEAL_PLAN,
    LABEL_GPU_PRODUCT,
    LABEL_HOSTNAME,
    LABEL_JOB_NAME,
    PLAN_FILE,
    SEAL_PLAN_FILE,
    Manifest,
    anchor_labels,
    claim_name,
    job_annotation,
    owned_metadata,
    peers_name,
    plan_name,
    step_labels,
)

MAX_ANNOTATION_BYTES = 128 * 1024  # Kubernetes allows 256 KiB for all of an object's together
DEFAULT_GRACE_SECONDS = 30
PRIVATE_MODE = 0o440  # for the step's user, by the pod's fsGroup


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """What "jobkit" and "algorithms" mean in this installation."""

    jobkit: str
    algorithms: str

    def resolve(self, name: str) -> str:
        """A reference that a kubelet can pull."""
        return {"jobkit": self.jobkit, "algorithms": self.algorithms}.get(name, name)


def anchor_manifest(anchor: Anchor) -> Manifest:
    """The object whose deletion takes everything of the job along."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": anchor.name,
            "namespace": anchor.namespace,
            "labels": anchor_labels(anchor),
            "annotations": job_annotation(anchor),
        },
        "data": {"job": str(anchor.job), "jobUid": anchor.job_uid},
    }


def workspace_manifest(anchor: Anchor) -> Manifest:
    """The volume that the job's steps share. `anchor.uid` is known by now."""
    storage_class = anchor.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": owned_metadata(anchor, claim_name(anchor.name), anchor_labels(anchor)),
        "spec": {
            "accessModes": [anchor.access_mode],
            "resources": {"requests": {"storage": anchor.workspace_size}},
            **({"storageClassName": storage_class} if storage_class else {}),
        },
    }


def with_master(step: Step, address: str) -> Step:
    """The step, told where rank 0's Service is."""
    if not isinstance(step.plan, LaunchPlan):
        return step
    plan = msgspec.structs.replace(step.plan, master_address=address)
    return msgspec.structs.replace(step, plan=plan)


def plan_manifest(anchor: Anchor, step: Step) -> Manifest | None:
    """The ConfigMap of a long plan; None where the annotation will do."""
    if not _is_long(step):
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owned_metadata(anchor, plan_name(step.name), step_labels(anchor, step)),
        "data": {PLAN_FILE: _plan_json(step)},
    }


def job_manifest(anchor: Anchor, step: Step, images: Images) -> Manifest:
    """The step's Job. A failed pod ends it: whether to try again is decided by the operator."""
    labels = step_labels(anchor, step)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": owned_metadata(anchor, step.name, labels),
        "spec": {
            "completionMode": "Indexed",
            "completions": step.nodes,
            "parallelism": step.nodes,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {**job_annotation(anchor), **_plan_annotations(anchor, step)},
                },
                "spec": pod_spec(anchor, step, images),
            },
        },
    }


def pod_spec(anchor: Anchor, step: Step, images: Images) -> Manifest:
    """One node's part of the step."""
    seal = [seal_container(images.jobkit)] if needs_seal(step) else []
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _grace_seconds(step),
        "securityContext": _pod_security(),
        **_dns(step),
        **_scheduling(step),
        **_pull_secrets(step),
        "initContainers": seal,
        "containers": [main_container(step, images.resolve(step.image))],
        "volumes": _volumes(anchor, step),
    }


def _pod_security() -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _grace_seconds(step: Step) -> int:
    """A worker has time to save a checkpoint."""
    if step.role is not Role.RUN:
        return DEFAULT_GRACE_SECONDS
    return round(grace_seconds(step.environment))


def _dns(step: Step) -> Manifest:
    """A lone sealed pod has nobody to look up: names fail at once, instead of after a timeout."""
    if step.network is Network.PEERS and step.nodes == 1:
        return {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}
    return {}


def _scheduling(step: Step) -> Manifest:
    """Every step goes where the worker must go: a volume may be bound to its first pod's node."""
    wanted = step.environment.spec.scheduling
    run_only = {"runtimeClassName": wanted.runtime_class_name} if step.role is Role.RUN else {}
    named = {"priorityClassName": wanted.priority_class_name, **run_only}
    return {
        "nodeSelector": _node_selector(step),
        "tolerations": [dict(toleration) for toleration in wanted.tolerations],
        **{field: value for field, value in named.items() if value},
        **_one_pod_a_node(step),
    }


def _pull_secrets(step: Step) -> Manifest:
    """For the kubelet, which pulls the image; no container sees them."""
    return {"imagePullSecrets": [{"name": pull_name(step.name)}]} if step.pull_secret else {}


def _node_selector(step: Step) -> dict[str, str]:
    hardware = step.environment.spec.hardware
    has_gpus = hardware.gpus_per_node > 0 and hardware.gpu_type
    gpus = {LABEL_GPU_PRODUCT: hardware.gpu_type} if has_gpus else {}
    return {**gpus, **step.environment.spec.scheduling.node_selector}


def _one_pod_a_node(step: Step) -> Manifest:
    """Ranks with GPUs spread over nodes; without, they may share one (as on a test cluster)."""
    if step.nodes == 1 or step.resources.gpus == 0:
        return {}
    same_step = {"labelSelector": {"matchLabels": {LABEL_JOB_NAME: step.name}}}
    term = {**same_step, "topologyKey": LABEL_HOSTNAME}
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {"affinity": {"podAntiAffinity": rule}}


def _volumes(anchor: Anchor, step: Step) -> list[Manifest]:
    claim = {"claimName": claim_name(anchor.name)}
    volumes: list[Manifest] = [
        {"name": "workspace", "persistentVolumeClaim": claim},
        {"name": "tmp", "emptyDir": {}},
    ]
    if step.plan is not None or needs_seal(step):
        volumes.append(_plan_volume(step))
    if step.has_private:
        secret = {"secretName": private_name(step.name), "defaultMode": PRIVATE_MODE}
        volumes.append({"name": PRIVATE_VOLUME, "secret": secret})
    if size := step.resources.shared_memory:
        shared = {"medium": "Memory", "sizeLimit": size}
        volumes.append({"name": "shared-memory", "emptyDir": shared})
    return volumes


def _plan_volume(step: Step) -> Manifest:
    items = []
    if step.plan is not None and not _is_long(step):
        items.append(_annotation_file(ANNOTATION_PLAN, PLAN_FILE))
    if needs_seal(step):
        items.append(_annotation_file(ANNOTATION_SEAL_PLAN, SEAL_PLAN_FILE))
    sources: list[Manifest] = [{"downwardAPI": {"items": items}}] if items else []
    if _is_long(step):
        sources.append({"configMap": {"name": plan_name(step.name)}})
    return {"name": "plan", "projected": {"sources": sources}}


def _annotation_file(annotation: str, path: str) -> Manifest:
    return {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}


def _plan_annotations(anchor: Anchor, step: Step) -> dict[str, str]:
    annotations = {}
    if step.plan is not None and not _is_long(step):
        annotations[ANNOTATION_PLAN] = _plan_json(step)
    if needs_seal(step):
        seal = msgspec.json.encode(_seal_plan(anchor, step))
        annotations[ANNOTATION_SEAL_PLAN] = seal.decode()
    return annotations


def _seal_plan(anchor: Anchor, step: Step) -> SealPlan:
    if step.nodes == 1:
        return SealPlan()
    return SealPlan(
        nodes=step.nodes,
        peers_host=f"{peers_name(step.name)}.{anchor.namespace}.svc",
        master_address=step.plan.master_address if isinstance(step.plan, LaunchPlan) else "",
    )


def _plan_json(step: Step) -> str:
    return msgspec.json.encode(step.plan).decode()


def _is_long(step: Step) -> bool:
    return step.plan is not None and len(_plan_json(step).encode()) > MAX_ANNOTATION_BYTES
