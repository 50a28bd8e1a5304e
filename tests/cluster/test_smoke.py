"""The test cluster itself: jobs of two pods, names, volumes, images, and a guarded kubelet."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.cluster import facts
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import HERE
from tests.cluster.provisioner import STORAGE_CLASS

pytestmark = pytest.mark.cluster


@pytest.fixture
def namespace(cluster_facts: Mapping[str, str]) -> Iterator[str]:
    """A namespace of the test's own, at Pod Security "restricted"."""
    assert "JOBKIT_IMAGE" in cluster_facts, "run `python -m tests.cluster load-images` first"
    name = f"smoke-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def test_two_pods_of_a_job_find_each_other_and_share_a_volume(namespace: str) -> None:
    program = HERE / "smoke_peer.py"
    kubectl("-n", namespace, "create", "configmap", "program", f"--from-file={program}")
    kubectl("-n", namespace, "apply", "-f", HERE / "manifests" / "smoke.yaml")

    kubectl("-n", namespace, "wait", "--for=condition=complete", "job/pair", "--timeout=90s")

    logs = kubectl("-n", namespace, "logs", "--selector=job-name=pair", "--prefix=false")
    assert sorted(logs.split("\n")) == ["", "peer 0 done", "peer 1 done"]


def test_a_pod_of_the_jobkit_image_starts_by_digest(namespace: str) -> None:
    repository = facts.read()["JOBKIT_IMAGE"].rpartition(":")[0]
    image = f"{repository}@{facts.read()['JOBKIT_IMAGE_DIGEST']}"
    program = "import aiohttp, jobkit, obstore; print('imports work')"

    logs = run_pod(namespace, image, program)

    assert logs.strip() == "imports work"


def test_a_pod_reaches_the_api_but_not_the_kubelet_without_credentials(namespace: str) -> None:
    node = facts.read()["NODE_IP"]
    program = f"""
import ssl, urllib.error, urllib.request
for url in ("https://kubernetes.default.svc/version", "https://{node}:10250/pods"):
    context = ssl._create_unverified_context()
    try:
        print(urllib.request.urlopen(url, context=context, timeout=5).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    logs = run_pod(namespace, facts.read()["JOBKIT_IMAGE"], program)

    assert logs.split() == ["200", "401"]


def test_twenty_volumes_come_and_go(namespace: str) -> None:
    claims = "---\n".join(claim(f"many-{number}") for number in range(20))
    kubectl("-n", namespace, "apply", "-f", "-", stdin=claims)
    kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc", "--all",
            "--timeout=60s")  # fmt: skip

    kubectl("-n", namespace, "delete", "pvc", "--all")

    eventually(lambda: namespace not in kubectl("get", "pv"), timeout_seconds=60)


def claim(name: str) -> str:
    return f"""
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}}}
spec:
  storageClassName: {STORAGE_CLASS}
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 1Mi}}}}
"""


def run_pod(namespace: str, image: str, program: str) -> str:
    """Run a Python program in a restricted pod to its end, and return what it printed."""
    security = """{runAsNonRoot: true, runAsUser: 65532, allowPrivilegeEscalation: false,
                   capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}"""
    indented = program.replace("\n", "\n          ")
    manifest = f"""
apiVersion: v1
kind: Pod
metadata: {{name: once}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  containers:
    - name: once
      image: {image}
      imagePullPolicy: IfNotPresent
      securityContext: {security}
      command:
        - python
        - -c
        - |
          {indented}
"""
    kubectl("-n", namespace, "apply", "-f", "-", stdin=manifest)
    kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/once",
            "--timeout=60s")  # fmt: skip
    return kubectl("-n", namespace, "logs", "once")


def eventually(holds: Callable[[], bool], timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_seconds} s"
        time.sleep(0.3)
