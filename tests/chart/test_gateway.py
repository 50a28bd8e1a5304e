"""What the chart renders for the gateway: nothing unless asked for, then no more than it needs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import NAMESPACE, HelmFailed, Rendered, render

NAME = "posthuman-operator-gateway"
VALUES: dict[str, Any] = {
    "workNamespaces": [{"name": "work", "create": True}],
    "gateway": {
        "enabled": True,
        "namespaces": [{"name": "ocean-jobs", "create": True}, {"name": "lab"}],
        "storeSecrets": ["store-credentials"],
    },
}


@pytest.fixture(scope="module")
def gateway() -> Rendered:
    """The chart with a gateway."""
    return render(VALUES)


def changed(**values: Any) -> dict[str, Any]:
    """The same with other values of the gateway."""
    return VALUES | {"gateway": VALUES["gateway"] | values}


def rules(rendered: Rendered, kind: str, namespace: str | None = None) -> dict[str, Any]:
    """Verbs by resource."""
    role = rendered.one(kind, NAME, namespace)
    return {name: rule["verbs"] for rule in role["rules"] for name in rule["resources"]}


def test_it_comes_only_when_asked_for() -> None:
    names = [found["metadata"]["name"] for found in render({}).objects]
    assert not [name for name in names if "gateway" in name]


def test_it_is_told_its_namespaces(gateway: Rendered) -> None:
    pod = gateway.one("Deployment", NAME)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == [
        *("gateway", "--namespace=ocean-jobs", "--also-namespace=lab", "--port=8080"),
    ]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_it_needs_a_namespace_for_its_jobs() -> None:
    with pytest.raises(HelmFailed, match=r"gateway\.enabled needs gateway\.namespaces"):
        render({"gateway": {"enabled": True}})


def test_no_selector_takes_its_pods_for_the_operator_s(gateway: Rendered) -> None:
    labels = gateway.one("Deployment", NAME)["spec"]["template"]["metadata"]["labels"]
    service = gateway.one("Service", NAME)["spec"]
    assert service["selector"].items() <= labels.items()
    operator = gateway.one("Deployment", "posthuman-operator")["spec"]["selector"]["matchLabels"]
    assert not operator.items() <= labels.items()


def test_it_may_make_jobs_where_they_live_and_read_elsewhere(gateway: Rendered) -> None:
    assert rules(gateway, "ClusterRole") == {
        "computeenvironments": ["get", "list", "watch"],
        "modelassets": ["get", "list", "watch"],
        "tokenreviews": ["create"],
        "subjectaccessreviews": ["create"],
    }
    for namespace in ("ocean-jobs", "lab"):
        assert rules(gateway, "Role", namespace) == {
            "computejobs": ["get", "list", "watch", "create", "patch", "delete"],
            "secrets": ["create", "patch", "delete"],
            "leases": ["get", "list", "create", "delete"],
        }


def test_in_a_work_namespace_it_reads_one_secret_and_logs(gateway: Rendered) -> None:
    assert rules(gateway, "Role", "work") == {
        "pods": ["list"],
        "pods/log": ["get"],
        "secrets": ["get"],
    }
    named = gateway.one("Role", NAME, "work")["rules"][-1]
    assert named["resourceNames"] == ["store-credentials"]
    without = render(changed(storeSecrets=[]))
    assert "secrets" not in rules(without, "Role", "work")


def test_its_namespaces_are_made_if_asked_for(gateway: Rendered) -> None:
    names = {found["metadata"]["name"] for found in gateway.of("Namespace")}
    assert names == {"work", "ocean-jobs"}


def test_its_one_port_is_open_to_whom_the_values_name() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ocean"}}}
    rendered = render(changed(networkPolicy={"enabled": True, "from": [peer]}))
    (rule,) = rendered.one("NetworkPolicy", NAME, NAMESPACE)["spec"]["ingress"]
    assert rule == {"ports": [{"port": "http"}], "from": [peer]}
    assert not [
        found
        for found in render(changed(networkPolicy={"enabled": False})).of("NetworkPolicy")
        if found["metadata"]["name"] == NAME
    ]


def test_an_ingress_needs_a_host() -> None:
    with pytest.raises(HelmFailed, match=r"needs gateway\.ingress\.host"):
        render(changed(ingress={"enabled": True}))
    rendered = render(changed(ingress={"enabled": True, "host": "compute.example.org"}))
    (rule,) = rendered.one("Ingress", NAME)["spec"]["rules"]
    assert rule["host"] == "compute.example.org"
    (container,) = rendered.one("Deployment", NAME)["spec"]["template"]["spec"]["containers"]
    assert "--public-host=compute.example.org" in container["args"]


def test_an_autoscaler_owns_the_number_of_replicas() -> None:
    rendered = render(changed(autoscaling={"enabled": True, "maxReplicas": 5}))
    assert "replicas" not in rendered.one("Deployment", NAME)["spec"]
    scaler = rendered.one("HorizontalPodAutoscaler", NAME)["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 5)
    assert render(VALUES).of("HorizontalPodAutoscaler") == []


def test_a_drain_leaves_one_running(gateway: Rendered) -> None:
    assert gateway.one("PodDisruptionBudget", NAME)["spec"]["maxUnavailable"] == 1
