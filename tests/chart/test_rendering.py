"""What the chart renders: facts, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from posthuman.api.meta import LABEL_MANAGED, LABEL_ROLE, LABEL_WORK_NAMESPACE
from posthuman.api.schema import crds_folder
from posthuman.kube.names import MANAGER
from tests.chart.helm import CHART, NAMESPACE, HelmFailed, Object, Rendered, helm, render

DIGEST = "sha256:" + "d" * 64
NAME = "posthuman-operator"
WORK = {"workNamespaces": [{"name": "work", "create": True}]}
SEALED = {"workNamespaces": [{"name": "sealed", "create": True, "privileged": True}]}


@pytest.fixture(scope="module")
def plain() -> Rendered:
    """The chart as it comes, with one work namespace."""
    return render(WORK)


def operator_pod(rendered: Rendered) -> Object:
    """The pod of the operator's Deployment."""
    pod: Object = rendered.one("Deployment", NAME)["spec"]["template"]["spec"]
    return pod


def arguments(rendered: Rendered) -> dict[str, str]:
    """`--name=value` of the operator's container."""
    (container,) = operator_pod(rendered)["containers"]
    return dict(word.split("=", 1) for word in container["args"] if word.startswith("--"))


def test_the_chart_passes_lint() -> None:
    assert "0 chart(s) failed" in helm("lint", str(CHART), "--strict")


def test_the_crds_are_the_repository_s_own_and_outlive_the_chart(plain: Rendered) -> None:
    found = {crd["metadata"]["name"]: crd for crd in plain.of("CustomResourceDefinition")}
    for path in crds_folder().glob("*.yaml"):
        own = yaml.safe_load(path.read_text())
        rendered = found.pop(own["metadata"]["name"])
        assert rendered["spec"] == own["spec"]
        assert rendered["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert found == {}


def test_the_crds_can_be_left_out_or_go_with_the_chart() -> None:
    assert render({"crds": {"enabled": False}}).of("CustomResourceDefinition") == []
    for crd in render({"crds": {"keep": False}}).of("CustomResourceDefinition"):
        assert "annotations" not in crd["metadata"]


def test_a_package_renders_as_the_folder_does(tmp_path: Path, plain: Rendered) -> None:
    """The link to crds/ must have become files."""
    helm("package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    assert render(WORK, chart=package).objects == plain.objects


def test_one_operator_runs_at_a_time(plain: Rendered) -> None:
    spec = plain.one("Deployment", NAME)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_operator_is_told_its_namespace_and_images() -> None:
    images = {"jobkit": {"digest": DIGEST}, "algorithms": {"tag": "2"}}
    rendered = render({"images": images})
    assert arguments(rendered) == {
        "--namespace": NAMESPACE,
        "--jobkit-image": f"ghcr.io/posthuman-network/jobkit@{DIGEST}",
        "--algorithms-image": "ghcr.io/posthuman-network/algorithms:2",
    }
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    (container,) = operator_pod(rendered)["containers"]
    assert container["image"] == f"ghcr.io/posthuman-network/operator:{version}"
    assert container["args"][0] == "operator"


def test_the_operator_may_do_nothing_on_its_node(plain: Rendered) -> None:
    pod = operator_pod(plain)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]


def test_the_operator_is_probed_and_measured(plain: Rendered) -> None:
    (container,) = operator_pod(plain)["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]
    assert plain.one("Service", NAME)["spec"]["ports"][0]["port"] == 8080
    assert plain.of("ServiceMonitor") == plain.of("PodDisruptionBudget") == []


def test_a_service_monitor_and_a_budget_come_when_asked_for() -> None:
    asked = {
        "metrics": {"serviceMonitor": {"enabled": True, "interval": "9s"}},
        "podDisruptionBudget": {"enabled": True},
    }
    rendered = render(asked)
    (endpoint,) = rendered.one("ServiceMonitor", NAME)["spec"]["endpoints"]
    assert endpoint == {"port": "http", "path": "/metrics", "interval": "9s"}
    assert rendered.one("PodDisruptionBudget", NAME)["spec"]["maxUnavailable"] == 0


def test_a_work_namespace_is_marked_restricted_and_kept(plain: Rendered) -> None:
    metadata = plain.one("Namespace", "work")["metadata"]
    assert metadata["labels"][LABEL_WORK_NAMESPACE] == "true"
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert metadata["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_a_sealed_work_namespace_trades_pod_security_for_the_policy() -> None:
    rendered = render(SEALED)
    labels = rendered.one("Namespace", "sealed")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    binding = rendered.one("ValidatingAdmissionPolicyBinding", f"{NAME}-sealed-pods")
    selected = binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]
    assert selected.items() <= labels.items()
    assert binding["spec"]["validationActions"] == ["Deny"]


def test_a_sealed_work_namespace_without_the_policy_is_refused() -> None:
    with pytest.raises(HelmFailed, match="sealed is privileged; that needs admissionPolicies"):
        render(SEALED | {"admissionPolicies": {"enabled": False}})


def test_a_work_namespace_denies_all_but_what_stages_and_exports(plain: Rendered) -> None:
    deny = plain.one("NetworkPolicy", f"{NAME}-deny", "work")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    outbound = plain.one("NetworkPolicy", f"{NAME}-outbound", "work")["spec"]
    assert outbound["podSelector"]["matchLabels"] == {LABEL_MANAGED: MANAGER}
    (roles,) = outbound["podSelector"]["matchExpressions"]
    assert (roles["key"], roles["operator"], roles["values"]) == (
        *(LABEL_ROLE, "In"),
        ["stage", "export"],
    )
    assert outbound["policyTypes"] == ["Egress"]
    assert "169.254.0.0/16" in yaml.dump(outbound["egress"])


def test_a_namespace_of_one_s_own_keeps_its_other_pods_network() -> None:
    rendered = render({"workNamespaces": [{"name": "own"}]})
    assert rendered.of("Namespace") == []
    deny = rendered.one("NetworkPolicy", f"{NAME}-deny", "own")["spec"]
    assert deny["podSelector"] == {"matchLabels": {LABEL_MANAGED: MANAGER}}


def rights_on_secrets(rendered: Rendered) -> list[tuple[str, str | None, list[str]]]:
    """Each role that has some: its kind, its namespace and the verbs."""
    return [
        (role["kind"], role["metadata"].get("namespace"), rule["verbs"])
        for role in rendered.of("ClusterRole") + rendered.of("Role")
        for rule in role["rules"]
        if "secrets" in rule["resources"] or "*" in rule["resources"]
    ]


def test_secrets_are_read_in_work_namespaces_alone(plain: Rendered) -> None:
    assert rights_on_secrets(plain) == [("Role", "work", ["get", "create", "delete"])]


def test_tenants_secrets_are_read_by_name_where_the_admin_says_so() -> None:
    rendered = render({**WORK, "tenantNamespaces": ["bob", "charlie"]})
    rights = [found for found in rights_on_secrets(rendered) if found[1] != "work"]
    assert rights == [("Role", "bob", ["get"]), ("Role", "charlie", ["get"])]
    binding = rendered.one("RoleBinding", f"{NAME}-tenant", "bob")
    assert binding["roleRef"]["name"] == f"{NAME}-tenant"
    assert binding["subjects"][0]["namespace"] == NAMESPACE


def test_secrets_of_jobs_that_the_gateway_makes_are_read_too() -> None:
    gateway = {"enabled": True, "namespaces": [{"name": "ocean-jobs"}, {"name": "bob"}]}
    rendered = render({**WORK, "tenantNamespaces": ["bob"], "gateway": gateway})
    roles = [one for one in rendered.of("Role") if one["metadata"]["name"] == f"{NAME}-tenant"]
    assert [role["metadata"]["namespace"] for role in roles] == ["bob", "ocean-jobs"]


def test_people_get_our_kinds_through_kubernetes_own_roles(plain: Rendered) -> None:
    view = plain.one("ClusterRole", f"{NAME}-view")
    edit = plain.one("ClusterRole", f"{NAME}-edit")
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    named = {name for role in (view, edit) for rule in role["rules"] for name in rule["resources"]}
    assert named == {"computejobs", "modelassets"}
    assert render({"rbac": {"aggregate": False, "environmentReaders": []}}).of("ClusterRole") == [
        plain.one("ClusterRole", NAME)
    ]


def test_no_role_has_a_wildcard(plain: Rendered) -> None:
    for role in plain.of("ClusterRole") + plain.of("Role"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"workNamespace": []}, "workNamespace"),
        ({"workNamespaces": [{"create": True}]}, "name"),
        ({"workNamespaces": [{"name": "Work"}]}, "workNamespaces"),
        ({"images": {"jobkit": {"digest": "sha256:x"}}}, "digest"),
        ({"images": {"jobkit": {"repository": f"r@{DIGEST}"}}}, "repository"),
        ({"images": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmFailed, match=f"(?s)values don't meet the specifications.*{words}"):
        render(values)


def test_every_value_is_in_the_schema() -> None:
    """The defaults themselves pass, and the schema knows no value that they lack."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) == set(values) | {"global"}
