"""The chart's objects on a real API server: accepted, and just as mighty as they must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from kubernetes import client

from tests.chart.helm import CHART, helm
from tests.chart.real import Installation

pytestmark = pytest.mark.cluster


def test_every_object_is_accepted(chart: Installation) -> None:
    """The Deployment too, which the fixture leaves out."""
    chart.kubectl("apply", "--server-side", "--dry-run=server", objects=chart.objects)


def test_the_operator_s_own_pod_is_admitted_at_the_strictest_level(chart: Installation) -> None:
    (deployment,) = [found for found in chart.objects if found["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    chart.create_pod(chart.namespace, {**template, "metadata": {"name": "operator"}})


def test_helm_itself_would_install(cluster_facts: Mapping[str, str]) -> None:
    """CRDs that are there already, of another installation or of none, are taken over."""
    told = helm(
        *("install", "dry-run", str(CHART), "--namespace", "default", "--dry-run=server"),
        *("--take-ownership", "--kubeconfig", cluster_facts["KUBECONFIG"]),
    )
    assert "STATUS: pending-install" in told


ALLOWED = [
    ("list", "", "computejobs", "group"),
    ("patch", "", "computeenvironments", "group"),
    ("update", "", "modelassets/status", "group"),
    ("create", "tenant", "modelassets", "group"),
    ("create", "tenant", "events", ""),
    ("watch", "", "pods", ""),
    ("get", "", "namespaces", ""),
    ("update", "namespace", "leases", "coordination.k8s.io"),
    ("create", "namespace", "configmaps", ""),
    ("create", "work", "jobs", "batch"),
    ("deletecollection", "sealed", "pods", ""),
    ("get", "work", "pods/log", ""),
    ("create", "work", "networkpolicies", "networking.k8s.io"),
    ("get", "sealed", "secrets", ""),
    ("create", "work", "secrets", ""),
    ("delete", "sealed", "secrets", ""),
    ("get", "lending", "secrets", ""),
]
FORBIDDEN = [
    ("get", "tenant", "secrets", ""),
    ("get", "namespace", "secrets", ""),
    ("list", "work", "secrets", ""),
    ("update", "work", "secrets", ""),
    ("list", "lending", "secrets", ""),
    ("watch", "lending", "secrets", ""),
    ("create", "lending", "secrets", ""),
    ("create", "work", "pods", ""),
    ("create", "work", "pods/exec", ""),
    ("create", "tenant", "jobs", "batch"),
    ("create", "tenant", "configmaps", ""),
    ("update", "tenant", "computejobs", "group"),
    ("create", "", "computeenvironments", "group"),
    ("delete", "", "namespaces", ""),
    ("update", "", "clusterroles", "rbac.authorization.k8s.io"),
]


def may(chart: Installation, verb: str, where: str, resource: str, group: str) -> bool:
    """Whether the server lets the operator do it; `where` names an attribute of the chart."""
    plural, _, subresource = resource.partition("/")
    attributes = client.V1ResourceAttributes(
        verb=verb,
        namespace=getattr(chart, where) if where else None,
        group=chart.group if group == "group" else group,
        resource=plural,
        subresource=subresource or None,
    )
    review = client.V1SubjectAccessReview(
        spec=client.V1SubjectAccessReviewSpec(user=chart.account, resource_attributes=attributes)
    )
    api: Any = client.AuthorizationV1Api(chart.api())
    answer = api.create_subject_access_review(review).status
    return bool(answer.allowed)


@pytest.mark.parametrize(("verb", "where", "resource", "group"), ALLOWED)
def test_the_operator_may(
    chart: Installation, verb: str, where: str, resource: str, group: str
) -> None:
    assert may(chart, verb, where, resource, group)


@pytest.mark.parametrize(("verb", "where", "resource", "group"), FORBIDDEN)
def test_the_operator_may_not(
    chart: Installation, verb: str, where: str, resource: str, group: str
) -> None:
    assert not may(chart, verb, where, resource, group)
