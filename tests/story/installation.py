"""The operator on the test cluster, by `helm install`, and the namespaces of the people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from posthuman.api.meta import GROUP, PLURALS
from tests.cluster import facts
from tests.cluster.binaries import program
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import KUBECONFIG, REPOSITORY
from tests.cluster.shell import Argument, attempt, run

RELEASE, SYSTEM_NAMESPACE, WORK_NAMESPACE = "posthuman", "posthuman-system", "lab-work"
BOUGHT_NAMESPACE = "ocean-jobs"  # where the gateway makes jobs
CHART = REPOSITORY / "charts" / "posthuman-operator"
VALUES = REPOSITORY / "examples" / "cluster" / "values.yaml"
IMAGES = ("operator", "jobkit", "algorithms")
KINDS = tuple(f"{plural}.{GROUP}" for plural in PLURALS.values())


def install(tenants: Sequence[str]) -> None:
    """Anew, whatever was there; comes back when the operator is ready (about 10 s)."""
    clear(tenants)
    helm("install", RELEASE, CHART, "--namespace", SYSTEM_NAMESPACE, "--create-namespace",
         "--values", VALUES, *_images(), "--take-ownership",
         "--wait", "--timeout", "120s")  # fmt: skip
    for tenant in tenants:
        kubectl("create", "namespace", tenant)


def clear(tenants: Sequence[str]) -> None:
    """Take away the release, and what its people have, whether or not an operator lives.

    For worlds whose chain and store are thrown away as well: nobody is asked to finish anything.
    """
    attempt(program("helm"), "--kubeconfig", KUBECONFIG, "uninstall", RELEASE,
            "--namespace", SYSTEM_NAMESPACE, "--ignore-not-found", "--wait")  # fmt: skip
    for kind in _installed_kinds():
        _delete_ours(kind, [*tenants, BOUGHT_NAMESPACE])
    kubectl("delete", "namespace", *tenants, BOUGHT_NAMESPACE, WORK_NAMESPACE, SYSTEM_NAMESPACE,
            "--ignore-not-found")  # fmt: skip


def helm(*arguments: Argument) -> str:
    """Run helm on the test cluster and return what it printed."""
    return run(program("helm"), "--kubeconfig", KUBECONFIG, *arguments)


def image(name: str) -> tuple[str, str]:
    """Repository and digest of one of the project's images, as they were loaded."""
    known = facts.read()
    repository = known[f"{name.upper()}_IMAGE"].rpartition(":")[0]
    return repository, known[f"{name.upper()}_IMAGE_DIGEST"]


def _images() -> Iterable[str]:
    for name in IMAGES:
        repository, digest = image(name)
        yield from ("--set-string", f"images.{name}.repository={repository}")
        yield from ("--set-string", f"images.{name}.digest={digest}")


def _installed_kinds() -> list[str]:
    known = kubectl("get", "customresourcedefinitions", "-o", "name")
    return [kind for kind in KINDS if f"/{kind}\n" in known]


def _delete_ours(kind: str, tenants: Sequence[str]) -> None:
    """One patch and one deletion an object, so that none waits for its finalizer."""
    listed = json.loads(kubectl("get", kind, "--all-namespaces", "-o", "json"))["items"]
    for body in listed:
        if not _is_ours(body, tenants):
            continue
        name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
        place = ("--namespace", namespace) if namespace else ()
        kubectl("delete", kind, name, *place, "--wait=false")
        attempt(program("kubectl"), "--kubeconfig", KUBECONFIG, "patch", kind, name, *place,
                "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')  # fmt: skip


def _is_ours(body: Mapping[str, Any], tenants: Sequence[str]) -> bool:
    """A cluster may be shared with other installations."""
    if "namespace" in body["metadata"]:
        return body["metadata"]["namespace"] in tenants
    return bool(body["spec"]["workNamespace"] == WORK_NAMESPACE)
