"""Which pods a work namespace admits on a real API server: the operator's own, and no others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from posthuman.api.environment import SealKind
from posthuman.jobs.steps import Step
from posthuman.kube.render import Images, job_manifest
from tests.chart.helm import Object
from tests.chart.real import JOBKIT, Installation
from tests.chart.verdicts import refusal
from tests.kube.builders import a_custom_run, a_run, a_stage, an_anchor, an_environment, an_export

pytestmark = pytest.mark.cluster

IMAGES = Images(jobkit=JOBKIT, algorithms="ghcr.io/posthuman-network/algorithms:0.1.0")
UNSEALED = an_environment(SealKind.NETWORK_POLICY)
SEALED = an_environment(SealKind.IN_POD)


def pod_of(step: Step) -> Object:
    """A pod as the operator's own Jobs make it."""
    template = job_manifest(an_anchor(), step, IMAGES)["spec"]["template"]
    return {"metadata": {"name": "it", **template["metadata"]}, "spec": template["spec"]}


EVERY_STEP = {
    "stage": a_stage,
    "run": a_run,
    "own image": lambda environment: a_custom_run(environment=environment),
    "export": an_export,
}


@pytest.mark.parametrize("step", EVERY_STEP)
def test_a_restricted_namespace_admits_every_pod_of_the_operator(
    chart: Installation, step: str
) -> None:
    chart.create_pod(chart.work, pod_of(EVERY_STEP[step](UNSEALED)))


def test_a_restricted_namespace_admits_no_seal(chart: Installation) -> None:
    said = refusal(lambda: chart.create_pod(chart.work, pod_of(a_run(SEALED))))
    assert 'violates PodSecurity "restricted:latest"' in said


@pytest.mark.parametrize("step", EVERY_STEP)
def test_a_sealed_namespace_admits_every_pod_of_the_operator(
    chart: Installation, step: str
) -> None:
    chart.create_pod(chart.sealed, pod_of(EVERY_STEP[step](SEALED)))


def spec(**fields: Any) -> Callable[[Object], None]:
    """Fields of the pod's spec set."""
    return lambda pod: pod["spec"].update(fields)


def volume(**source: Any) -> Callable[[Object], None]:
    """A further volume."""
    return lambda pod: pod["spec"]["volumes"].append({"name": "more", **source})


def main(**fields: Any) -> Callable[[Object], None]:
    """Fields of the main container set."""
    return lambda pod: pod["spec"]["containers"][0].update(fields)


def main_security(**fields: Any) -> Callable[[Object], None]:
    """Fields of the main container's security context set."""
    return lambda pod: pod["spec"]["containers"][0]["securityContext"].update(fields)


def seal(**fields: Any) -> Callable[[Object], None]:
    """Fields of the seal set."""
    return lambda pod: pod["spec"]["initContainers"][0].update(fields)


def seal_security(**fields: Any) -> Callable[[Object], None]:
    """Fields of the seal's security context set."""
    return lambda pod: pod["spec"]["initContainers"][0]["securityContext"].update(fields)


def second_init(pod: Object) -> None:
    """The seal under another name, beside the seal."""
    pod["spec"]["initContainers"].append(pod["spec"]["initContainers"][0] | {"name": "other"})


TOKEN = {"sources": [{"serviceAccountToken": {"path": "token"}}]}
NODE = "can't share the node's network"
MOUNT = "can't mount the node's folders"
NO_TOKEN = "a pod here holds no token"
MAIN = "no container but the seal may be privileged"
DROPS = "every container but the seal drops ALL capabilities"
ROOT = "every container but the seal runs as a user other than root"
ITSELF = f"the seal is {JOBKIT} with the command"
BEYOND = "the seal may be root with NET_ADMIN, and nothing beyond that"
REFUSED: list[tuple[str, Callable[[Object], None], str]] = [
    ("the node's network", spec(hostNetwork=True), NODE),
    ("the node's processes", spec(hostPID=True), NODE),
    ("the node's IPC", spec(hostIPC=True), NODE),
    ("a folder of the node", volume(hostPath={"path": "/"}), MOUNT),
    ("a share", volume(nfs={"server": "a", "path": "/"}), MOUNT),
    ("a token by default", spec(automountServiceAccountToken=None), NO_TOKEN),
    ("a projected token", volume(projected=TOKEN), NO_TOKEN),
    (
        "a privileged main container",
        main_security(privileged=True, allowPrivilegeEscalation=True),
        MAIN,
    ),
    ("more privileges", main_security(allowPrivilegeEscalation=True), MAIN),
    ("a port of the node", main(ports=[{"containerPort": 80, "hostPort": 80}]), MAIN),
    ("kept capabilities", main_security(capabilities={}), DROPS),
    ("NET_ADMIN", main_security(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}), DROPS),
    ("root", main_security(runAsUser=0, runAsNonRoot=False), ROOT),
    ("no seccomp", main_security(seccompProfile={"type": "Unconfined"}), ROOT),
    ("no security context", main(securityContext={}), MAIN),
    ("a second root", second_init, DROPS),
    ("another image", seal(image="docker.io/evil"), ITSELF),
    ("jobkit by tag", seal(image="ghcr.io/posthuman-network/jobkit:0.1.0"), ITSELF),
    ("another program", seal(command=["sh"]), ITSELF),
    ("arguments", seal(args=["-c"]), ITSELF),
    ("a variable", seal(env=[{"name": "PYTHONPATH", "value": "/data"}]), ITSELF),
    ("a mount", seal(volumeMounts=[{"name": "workspace", "mountPath": "/data"}]), ITSELF),
    ("a sidecar", seal(restartPolicy="Always"), ITSELF),
    ("SYS_ADMIN", seal_security(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}), BEYOND),
    (
        "a privileged seal",
        seal_security(privileged=True, allowPrivilegeEscalation=True),
        BEYOND,
    ),
    ("a writable root", seal_security(readOnlyRootFilesystem=False), BEYOND),
]


@pytest.mark.parametrize(
    ("change", "words"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED]
)
def test_a_sealed_namespace_refuses(
    chart: Installation, change: Callable[[Object], None], words: str
) -> None:
    pod = copy.deepcopy(pod_of(a_run(SEALED)))
    change(pod)
    assert words in refusal(lambda: chart.create_pod(chart.sealed, pod))


def test_a_sealed_namespace_lets_nobody_debug_from_within(chart: Installation) -> None:
    """The pod waits for its volume, which nobody makes; that is enough to ask."""
    chart.create_pod(chart.sealed, pod_of(a_stage(SEALED)), dry_run=False)
    said = refusal(lambda: chart.debug_pod(chart.sealed, "it"))
    assert "a pod here can't be debugged from within" in said
