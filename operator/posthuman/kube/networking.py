"""How the ranks of one step find each other, and nobody else: Services and a NetworkPolicy; pure.

The work namespace itself denies everything to pods of role `run` (the chart's policy); the policy
here opens the way between the pods of one attempt, since "the same label value" can't be said once
for all jobs.
"""

from __future__ import annotations

from jobkit.plan import LaunchPlan
from posthuman.api.meta import LABEL_JOB_UID
from posthuman.jobs.steps import DEFAULT_MASTER_PORT, Anchor, Step
from posthuman.kube.containers import needs_seal
from posthuman.kube.names import (
    LABEL_COMPLETION_INDEX,
    LABEL_JOB_NAME,
    Manifest,
    master_name,
    owned_metadata,
    peers_name,
    step_labels,
)


def master_service(anchor: Anchor, step: Step) -> Manifest:
    """A fixed address for rank 0, before its pod has one: no DNS is needed to meet there."""
    rank_0 = {LABEL_JOB_NAME: step.name, LABEL_COMPLETION_INDEX: "0"}
    return _service(anchor, step, master_name(step.name), {"selector": rank_0})


def peers_service(anchor: Anchor, step: Step) -> Manifest:
    """Names every rank's pod, ready or not, so that the seal can learn their addresses."""
    every_rank = {"clusterIP": "None", "selector": {LABEL_JOB_NAME: step.name}}
    return _service(anchor, step, peers_name(step.name), every_rank)


def peers_policy(anchor: Anchor, step: Step) -> Manifest:
    """The ranks may talk to each other; the seal's init container also needs to ask DNS."""
    ranks = {"matchLabels": {LABEL_JOB_UID: anchor.job_uid, LABEL_JOB_NAME: step.name}}
    peers = [{"podSelector": ranks}]
    egress: list[Manifest] = [{"to": peers}]
    if needs_seal(step):
        egress.append({"ports": [{"port": 53, "protocol": name} for name in ("UDP", "TCP")]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": owned_metadata(anchor, peers_name(step.name), step_labels(anchor, step)),
        "spec": {
            "podSelector": ranks,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers}],
            "egress": egress,
        },
    }


def _service(anchor: Anchor, step: Step, name: str, spec: Manifest) -> Manifest:
    port = step.plan.master_port if isinstance(step.plan, LaunchPlan) else DEFAULT_MASTER_PORT
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owned_metadata(anchor, name, step_labels(anchor, step)),
        "spec": {
            "publishNotReadyAddresses": True,
            "ports": [{"name": "rendezvous", "port": port}],
            **spec,
        },
    }
