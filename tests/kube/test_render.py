"""What the rendered objects say, fact by fact."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jobkit.plan import ExportPlan, LaunchPlan, SealPlan, StagePlan
from posthuman.api.environment import SealKind
from posthuman.errors import UserError
from posthuman.jobs.steps import Anchor, Private, PrivateFile, Step
from posthuman.kube.networking import master_service, peers_policy, peers_service
from posthuman.kube.private import secret_manifest
from posthuman.kube.render import (
    anchor_manifest,
    job_manifest,
    plan_manifest,
    with_master,
    workspace_manifest,
)
from tests.kube.builders import (
    GPU_TOLERATION,
    IMAGES,
    a_custom_run,
    a_gpu_environment,
    a_gpu_run,
    a_run,
    a_stage,
    an_anchor,
    an_environment,
    an_export,
)

EVERY_STEP = [a_run(), a_run(nodes=2), a_gpu_run(), a_custom_run(), a_stage(), an_export()]


def pod_of(step: Step) -> dict[str, Any]:
    spec: dict[str, Any] = job_manifest(an_anchor(), step, IMAGES)["spec"]["template"]["spec"]
    return spec


def annotations_of(step: Step) -> dict[str, str]:
    template = job_manifest(an_anchor(), step, IMAGES)["spec"]["template"]
    annotations: dict[str, str] = template["metadata"]["annotations"]
    return annotations


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def main_of(step: Step) -> dict[str, Any]:
    (container,) = pod_of(step)["containers"]
    assert isinstance(container, dict)
    return container


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.role.value)
def test_every_main_container_is_unprivileged(step: Step) -> None:
    security = main_of(step)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 65532
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.role.value)
def test_no_pod_holds_a_token_or_learns_of_services(step: Step) -> None:
    pod = pod_of(step)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & pod.keys()
    assert pod["restartPolicy"] == "Never"


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.role.value)
def test_everything_belongs_to_the_anchor_and_names_its_job(step: Step) -> None:
    manifest = job_manifest(an_anchor(), step, IMAGES)
    (owner,) = manifest["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ConfigMap", "job-1234", "anchor-uid")
    for metadata in (manifest["metadata"], manifest["spec"]["template"]["metadata"]):
        assert metadata["annotations"]["compute.posthuman.network/job"] == "bob/bob-trains"
        assert metadata["labels"] == {
            "app.kubernetes.io/managed-by": "posthuman-operator",
            "compute.posthuman.network/job-uid": "1234",
            "compute.posthuman.network/role": step.role.value,
            "compute.posthuman.network/attempt": "1",
        }


def test_only_stage_and_export_hold_store_credentials() -> None:
    for step in (a_stage(), an_export()):
        key = env_of(main_of(step))["AWS_SECRET_ACCESS_KEY"]
        assert key == {"secretKeyRef": {"name": "store", "key": "secretAccessKey"}}
    for step in (a_run(), a_run(nodes=2), a_gpu_run(), a_custom_run()):
        assert not [name for name in env_of(main_of(step)) if name.startswith("AWS_")]
        assert "secret" not in str(pod_of(step)).lower()


@pytest.mark.parametrize(
    ("step", "kind", "subcommand"),
    [
        (a_stage(), StagePlan, "fetch"),
        (a_run(), LaunchPlan, "launch"),
        (an_export(), ExportPlan, "export"),
    ],
)
def test_jobkit_reads_its_plan_from_the_pod_s_annotations(
    step: Step, kind: type[Any], subcommand: str
) -> None:
    container = main_of(step)
    assert container["command"] == ["python", "-m", "jobkit", subcommand]
    assert env_of(container)["JOBKIT_PLAN"] == "/etc/posthuman/plan.json"
    raw = annotations_of(step)["compute.posthuman.network/plan"]
    assert msgspec.json.decode(raw, type=kind) == step.plan
    assert plan_manifest(an_anchor(), step) is None
    (volume,) = [v for v in pod_of(step)["volumes"] if v["name"] == "plan"]
    (source,) = volume["projected"]["sources"]
    paths = {i["path"]: i["fieldRef"]["fieldPath"] for i in source["downwardAPI"]["items"]}
    assert paths["plan.json"] == "metadata.annotations['compute.posthuman.network/plan']"


def test_a_long_plan_gets_a_config_map() -> None:
    step = a_stage(prompts=["tell me" * 1000] * 40)
    assert "compute.posthuman.network/plan" not in annotations_of(step)
    manifest = plan_manifest(an_anchor(), step)
    assert manifest is not None
    assert msgspec.json.decode(manifest["data"]["plan.json"], type=StagePlan) == step.plan
    (volume,) = [v for v in pod_of(step)["volumes"] if v["name"] == "plan"]
    assert volume["projected"]["sources"] == [{"configMap": {"name": manifest["metadata"]["name"]}}]


def test_a_job_is_one_pod_a_node_and_one_try() -> None:
    spec = job_manifest(an_anchor(), a_run(nodes=2), IMAGES)["spec"]
    assert spec["completionMode"] == "Indexed"
    assert (spec["completions"], spec["parallelism"]) == (2, 2)
    assert spec["backoffLimit"] == 0
    assert spec["podReplacementPolicy"] == "Failed"
    assert "ttlSecondsAfterFinished" not in spec


def test_two_nodes_of_eight_a100s() -> None:
    pod = pod_of(a_gpu_run(nodes=2))
    (container,) = pod["containers"]
    expected = {"cpu": "96", "memory": "900Gi", "nvidia.com/gpu": "8"}
    assert container["resources"] == {"requests": expected, "limits": expected}
    assert pod["nodeSelector"] == {
        "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
        "pool": "gpu",
    }
    assert pod["tolerations"] == [GPU_TOLERATION]
    assert pod["priorityClassName"] == "training"
    assert pod["runtimeClassName"] == "nvidia"
    rules = pod["affinity"]["podAntiAffinity"]
    (term,) = rules["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    job_name = {"batch.kubernetes.io/job-name": "job-1234-run-1"}
    assert term["labelSelector"]["matchLabels"] == job_name
    (shared,) = [v for v in pod["volumes"] if v["name"] == "shared-memory"]
    assert shared["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Gi"}
    env = env_of(container)
    assert env["NCCL_SOCKET_IFNAME"] == env["GLOO_SOCKET_IFNAME"] == "eth0"
    assert env["OMP_NUM_THREADS"] == "12"


def test_stage_and_export_of_a_gpu_environment_go_to_its_nodes_without_a_gpu() -> None:
    run = pod_of(a_gpu_run())
    for step in (a_stage(a_gpu_environment()), an_export(a_gpu_environment())):
        pod = pod_of(step)
        assert pod["nodeSelector"] == run["nodeSelector"]
        assert pod["tolerations"] == run["tolerations"]
        assert "nvidia.com/gpu" not in str(pod["containers"][0]["resources"])
        assert "runtimeClassName" not in pod


def test_two_ranks_without_gpus_may_share_a_node() -> None:
    assert "affinity" not in pod_of(a_run(nodes=2))
    assert pod_of(a_run(nodes=2))["nodeSelector"] == {}


def test_the_cpu_of_stage_and_export_is_a_request_only() -> None:
    for step in (a_stage(), an_export()):
        resources = main_of(step)["resources"]
        assert resources["requests"] == {"cpu": "250m", "memory": "1Gi"}
        assert resources["limits"] == {"memory": "1Gi"}


def test_a_worker_sees_folders_of_the_workspace_and_inputs_read_only() -> None:
    mounts = {mount["mountPath"]: mount for mount in main_of(a_run())["volumeMounts"]}
    assert mounts["/data/inputs"]["readOnly"] is True
    assert mounts["/data/inputs"]["subPath"] == "inputs"
    assert mounts["/data/outputs"]["readOnly"] is False
    assert mounts["/tmp"]["name"] == "tmp"
    assert mounts["/dev/shm"]["name"] == "shared-memory"
    assert env_of(main_of(a_run()))["HOME"] == "/tmp"
    (whole,) = [m for m in main_of(a_stage())["volumeMounts"] if m["mountPath"] == "/workspace"]
    assert "subPath" not in whole


@pytest.mark.parametrize("seal", [SealKind.IN_POD, SealKind.BOTH])
def test_the_seal_alone_is_root_with_net_admin(seal: SealKind) -> None:
    step = with_master(a_run(an_environment(seal), nodes=2), "10.96.0.7")
    (container,) = pod_of(step)["initContainers"]
    assert container["image"] == IMAGES.jobkit
    assert container["command"] == ["python", "-m", "jobkit", "seal"]
    security = container["securityContext"]
    assert security["runAsUser"] == 0
    assert security["runAsNonRoot"] is False
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert security["allowPrivilegeEscalation"] is False
    assert env_of(container) == {"JOBKIT_PLAN": "/etc/posthuman/seal.json"}
    plan = annotations_of(step)["compute.posthuman.network/seal-plan"]
    assert msgspec.json.decode(plan, type=SealPlan) == SealPlan(
        nodes=2, peers_host="job-1234-run-1-peers.work.svc", master_address="10.96.0.7"
    )


@pytest.mark.parametrize(
    "step", [a_run(an_environment(SealKind.NETWORK_POLICY)), a_stage(), an_export()]
)
def test_nobody_else_gets_net_admin(step: Step) -> None:
    assert pod_of(step)["initContainers"] == []
    assert "NET_ADMIN" not in str(pod_of(step))


def test_one_sealed_pod_needs_no_peers_and_no_names() -> None:
    step = a_run(an_environment(SealKind.IN_POD))
    plan = annotations_of(step)["compute.posthuman.network/seal-plan"]
    assert msgspec.json.decode(plan, type=SealPlan) == SealPlan()
    assert pod_of(step)["dnsPolicy"] == "None"
    assert "dnsPolicy" not in pod_of(a_run(nodes=2))
    assert "dnsPolicy" not in pod_of(a_stage())


def test_rank_0_has_an_address_before_it_has_a_pod() -> None:
    spec = master_service(an_anchor(), a_run(nodes=2))["spec"]
    assert "clusterIP" not in spec  # given by Kubernetes
    assert spec["publishNotReadyAddresses"] is True
    assert spec["ports"] == [{"name": "rendezvous", "port": 29500}]
    assert spec["selector"] == {
        "batch.kubernetes.io/job-name": "job-1234-run-1",
        "batch.kubernetes.io/job-completion-index": "0",
    }
    step = with_master(a_run(nodes=2), "10.96.0.7")
    plan = msgspec.json.decode(annotations_of(step)["compute.posthuman.network/plan"])
    assert plan["masterAddress"] == "10.96.0.7"


def test_every_peer_is_named_by_a_headless_service() -> None:
    spec = peers_service(an_anchor(), a_run(nodes=2))["spec"]
    assert spec["clusterIP"] == "None"
    assert spec["publishNotReadyAddresses"] is True
    assert spec["selector"] == {"batch.kubernetes.io/job-name": "job-1234-run-1"}


@pytest.mark.parametrize(
    ("seal", "asks_dns"), [(SealKind.NETWORK_POLICY, False), (SealKind.BOTH, True)]
)
def test_peers_may_talk_to_each_other_only(seal: SealKind, asks_dns: bool) -> None:
    spec = peers_policy(an_anchor(), a_run(an_environment(seal), nodes=2))["spec"]
    pods = spec["podSelector"]
    assert pods["matchLabels"] == {
        "compute.posthuman.network/job-uid": "1234",
        "batch.kubernetes.io/job-name": "job-1234-run-1",
    }
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"from": [{"podSelector": pods}]}]
    assert spec["egress"][0] == {"to": [{"podSelector": pods}]}
    dns = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert spec["egress"][1:] == ([dns] if asks_dns else [])


def test_an_image_of_ones_own_keeps_its_command_within_the_wrapper() -> None:
    container = main_of(a_custom_run())
    assert container["image"] == "registry.example/own@sha256:ab"
    assert container["command"][:2] == ["/bin/sh", "-c"]
    assert [*container["command"][3:], *container["args"]] == ["sh", "/bin/train", "--fast"]
    assert env_of(container)["LOG_FILE"] == "/data/logs/algorithm.log"
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert main_of(a_run())["terminationMessagePolicy"] == "File"


def test_an_image_of_ones_own_without_a_logs_folder_is_refused() -> None:
    with pytest.raises(UserError, match="no folder `logs`"):
        pod_of(a_custom_run(mounts=()))


def test_the_pod_outlives_the_algorithm_s_grace() -> None:
    assert pod_of(a_run())["terminationGracePeriodSeconds"] == 65
    assert pod_of(a_custom_run())["terminationGracePeriodSeconds"] == 65
    assert pod_of(a_stage())["terminationGracePeriodSeconds"] == 30


def test_the_anchor_and_its_volume() -> None:
    anchor: Anchor = msgspec.structs.replace(
        an_anchor(), storage_class_name="nfs", access_mode="ReadWriteMany", workspace_size="9Gi"
    )
    manifest = anchor_manifest(anchor)
    assert manifest["kind"] == "ConfigMap"
    assert "ownerReferences" not in manifest["metadata"]
    claim = workspace_manifest(anchor)
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "9Gi"}},
        "storageClassName": "nfs",
    }
    (volume,) = [v for v in pod_of(a_run())["volumes"] if v["name"] == "workspace"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert "storageClassName" not in workspace_manifest(an_anchor())["spec"]


PRIVATE = (PrivateFile(file="input-text-uri", secret="mine", key="url"),)


def test_private_files_are_mounted_by_the_step_they_are_for() -> None:
    step = msgspec.structs.replace(a_stage(), private=PRIVATE)
    (volume,) = [found for found in pod_of(step)["volumes"] if found["name"] == "private"]
    secret = {"secretName": "job-1234-stage-1-private", "defaultMode": 0o440}
    assert volume["secret"] == secret
    (mount,) = [found for found in main_of(step)["volumeMounts"] if found["name"] == "private"]
    assert mount == {
        "name": "private",
        "mountPath": "/etc/posthuman-private",
        "readOnly": True,
    }
    assert pod_of(step)["initContainers"] == []
    for other in EVERY_STEP:
        assert "private" not in [found["name"] for found in pod_of(other)["volumes"]]


def test_a_registry_s_credentials_are_the_kubelet_s() -> None:
    step = a_custom_run(pull_secret="registry")
    assert pod_of(step)["imagePullSecrets"] == [{"name": "job-1234-run-1-pull"}]
    assert "job-1234-run-1-pull" not in str(main_of(step))
    for other in EVERY_STEP:
        assert "imagePullSecrets" not in pod_of(other)


def test_a_secret_of_a_step_is_its_job_s() -> None:
    private = Private(name="it", content={"a": b"\x00"}, pulls=True)
    body = secret_manifest(an_anchor(), private)
    assert body["type"] == "kubernetes.io/dockerconfigjson"
    assert body["data"] == {"a": "AA=="}
    assert body["metadata"]["ownerReferences"][0]["uid"] == "anchor-uid"
    assert "\\x00" not in repr(private)
