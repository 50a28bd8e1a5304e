"""The chart on a real API server, apart from every other installation there.

The group's name is replaced by one of this test's own, in CRDs, labels and policies alike: an
operator that is busy with real jobs there doesn't notice.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kubernetes import client, config

from posthuman.api.meta import GROUP, PLURALS, VERSION
from tests.chart.helm import NAMESPACE, Object, render

JOBKIT_DIGEST = "sha256:" + "5" * 64
JOBKIT = f"ghcr.io/posthuman-network/jobkit@{JOBKIT_DIGEST}"
_new_client: Callable[[str], Any] = config.new_client_from_config  # untyped, as it comes
ALICE = "alice"  # a person who may do everything


DRY = {"dry_run": "All"}


def changed(stored: Object, **spec: Any) -> Object:
    """A stored object with fields of its spec replaced."""
    return stored | {"spec": stored["spec"] | spec}


class Installation:
    """A rendered chart whose objects (but the Deployment) are on the server."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self.token = f"t{secrets.token_hex(4)}"
        self.group = f"{self.token}.posthuman.test"
        self.namespace, self.tenant = f"{self.token}-system", f"{self.token}-bob"
        self.lending = f"{self.token}-charlie"  # whose Secrets jobs may name
        self.work, self.sealed = f"{self.token}-work", f"{self.token}-sealed"
        name = f"{self.token}-posthuman-operator"
        self.account = f"system:serviceaccount:{self.namespace}:{name}"
        self.objects = self.translated(render(self._values(), release=self.token).objects)
        self._facts = facts

    def _values(self) -> Object:
        return {
            "workNamespaces": [
                {"name": self.work, "create": True},
                {"name": self.sealed, "create": True, "privileged": True},
            ],
            "tenantNamespaces": [self.lending],
            "images": {"jobkit": {"digest": JOBKIT_DIGEST}},
        }

    def translated(self, objects: list[Object]) -> list[Object]:
        """The objects in this installation's group and namespace."""
        text = json.dumps(objects).replace(GROUP, self.group).replace(NAMESPACE, self.namespace)
        ours: list[Object] = json.loads(text)
        return ours

    def kubectl(self, *arguments: str, objects: list[Object]) -> None:
        """Fails the test with what the server refuses."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        command = [self._facts["KUBECTL"], "--kubeconfig", self._facts["KUBECONFIG"], *arguments]
        done = subprocess.run(
            [*command, "--filename", "-"],
            input=listed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def api(self, user: str = ALICE) -> Any:
        """A client that acts as the operator's service account, or as a person."""
        made = _new_client(self._facts["KUBECONFIG"])
        made.set_default_header("Impersonate-User", user)
        if user == ALICE:
            made.set_default_header("Impersonate-Group", "system:masters")
        return made

    def create(self, body: Object, user: str = ALICE, **options: str) -> Object:
        """Create one of our namespaced objects. Raises ApiException."""
        objects: Any = client.CustomObjectsApi(self.api(user))
        (ours,) = self.translated([body])
        made: Object = objects.create_namespaced_custom_object(*self._where(body), ours, **options)
        return made

    def read(self, kind: str, name: str) -> Object:
        """One of our namespaced objects."""
        objects: Any = client.CustomObjectsApi(self.api())
        found: Object = objects.get_namespaced_custom_object(*self._where({"kind": kind}), name)
        return found

    def replace(self, body: Object, **options: str) -> None:
        """Replace one of our namespaced objects. Raises ApiException."""
        objects: Any = client.CustomObjectsApi(self.api())
        name = body["metadata"]["name"]
        objects.replace_namespaced_custom_object(*self._where(body), name, body, **options)

    def _where(self, body: Object) -> tuple[str, str, str, str]:
        return self.group, VERSION, self.tenant, PLURALS[body["kind"]]

    def create_pod(self, namespace: str, pod: Object, dry_run: bool = True) -> None:
        """Create a pod. Raises ApiException."""
        pods: Any = client.CoreV1Api(self.api())
        (ours,) = self.translated([pod])
        pods.create_namespaced_pod(namespace, ours, **(DRY if dry_run else {}))

    def debug_pod(self, namespace: str, name: str) -> None:
        """Add a container to a pod that is there, as `kubectl debug` does. Raises ApiException."""
        pods: Any = client.CoreV1Api(self.api())
        debugger = {"name": "debugger", "image": "busybox", "command": ["sh"]}
        body = {"spec": {"ephemeralContainers": [debugger]}}
        pods.patch_namespaced_pod_ephemeralcontainers(name, namespace, body, **DRY)


@contextmanager
def installed(facts: Mapping[str, str]) -> Iterator[Installation]:
    """Everything but the Deployment, which would start; deleted at the end."""
    chart = Installation(facts)
    restricted = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **restricted}}
        for name in (chart.namespace, chart.tenant, chart.lending)
    ]
    objects = [found for found in chart.objects if found["kind"] != "Deployment"]
    try:
        chart.kubectl("apply", "--server-side", objects=[*namespaces, *objects])
        yield chart
    finally:
        gone = ("--ignore-not-found", "--wait=false")
        chart.kubectl("delete", *gone, objects=[*objects, *namespaces])
