"""Jobs and pods as the API server shows them."""

from __future__ import annotations

from typing import Any

LABELS = {
    "app.kubernetes.io/managed-by": "posthuman-operator",
    "compute.posthuman.network/job-uid": "1234",
    "compute.posthuman.network/attempt": "1",
}
ANNOTATIONS = {"compute.posthuman.network/job": "bob/bob-trains"}


def condition(type_: str, reason: str = "", message: str = "", status: str = "True") -> Any:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T12:09:00Z",
    }


def metadata(name: str, version: int, role: str, **labels: str) -> Any:
    return {
        "name": name,
        "namespace": "work",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-01-01T12:00:00Z",
        "labels": {**LABELS, "compute.posthuman.network/role": role, **labels},
        "annotations": dict(ANNOTATIONS),
    }


def job_body(
    name: str = "run-1", version: int = 1, role: str = "run", nodes: int = 1, *conditions: Any
) -> Any:
    return {
        "metadata": metadata(name, version, role),
        "spec": {"completions": nodes},
        "status": {"conditions": list(conditions)},
    }


def pod_body(
    job: str = "run-1",
    version: int = 1,
    phase: str = "Pending",
    index: int = 0,
    role: str = "run",
    main: Any = None,
    seal: Any = None,
    conditions: Any = (),
    **status: str,
) -> Any:
    named = {
        "batch.kubernetes.io/job-name": job,
        "batch.kubernetes.io/job-completion-index": str(index),
    }
    containers = {"containerStatuses": [{"name": role, "state": main}]} if main else {}
    seals = {"initContainerStatuses": [{"name": "seal", "state": seal}]} if seal else {}
    return {
        "metadata": metadata(f"{job}-{index}-abcde", version, role, **named),
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            **containers,
            **seals,
            **status,
        },
    }


def running(since: str = "2026-01-01T12:01:00Z") -> Any:
    return {"running": {"startedAt": since}}


def waiting(reason: str, message: str = "") -> Any:
    return {"waiting": {"reason": reason, "message": message}}


def ended(
    exit_code: int = 0,
    reason: str = "Error",
    message: str = "",
    started: str = "2026-01-01T12:01:00Z",
    finished: str = "2026-01-01T12:05:00Z",
) -> Any:
    return {
        "terminated": {
            "exitCode": exit_code,
            "reason": reason if exit_code else "Completed",
            "message": message,
            "startedAt": started,
            "finishedAt": finished,
        }
    }
