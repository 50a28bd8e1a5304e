"""Tokens, roles and wallets on a real API server: it, and nobody else, says who may do what."""

from __future__ import annotations

import copy
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from posthuman.gateway.people.examples import EVALUATE, TRAIN
from posthuman.kube.resources import Resource
from tests.gateway.people.world import BOB, CAROL, signed
from tests.gateway.real import RealGateway, until
from tests.kube.crds import apply_crds
from tests.kube.worlds import real_world

pytestmark = pytest.mark.cluster
JOBS = "/api/v1/jobs"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
async def gateway(cluster_facts: Mapping[str, str], tmp_path: Path) -> AsyncIterator[RealGateway]:
    kubeconfig = apply_crds(cluster_facts)
    async with real_world(kubeconfig) as world:
        made = RealGateway(world, kubeconfig, tmp_path / "store")
        made.store.mkdir()
        await made.begin()
        yield made


async def grant(gateway: RealGateway, *verbs: str) -> None:
    """To the namespace's default service account."""
    namespace = gateway.world.tenant
    meta = {"name": "jobs", "namespace": namespace}
    role: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": meta,
        "rules": [
            {
                "apiGroups": ["compute.posthuman.network"],
                "resources": ["computejobs"],
                "verbs": list(verbs),
            }
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "jobs"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }
    await gateway.world.client.create(Resource(RBAC, "roles", "Role"), role)
    await gateway.world.client.create(Resource(RBAC, "rolebindings", "RoleBinding"), binding)


async def ask(
    client: httpx.AsyncClient, account: Any, method: str, path: str, **arguments: Any
) -> httpx.Response:
    """Signed by a wallet, now."""
    request = client.build_request(method, path, **arguments)
    request.headers["authorization"] = signed(account, request, time.time_ns())
    return await client.send(request)


def in_environment(body: dict[str, Any], gateway: RealGateway, **more: Any) -> dict[str, Any]:
    """The example, for this world."""
    asked = copy.deepcopy(body)
    asked["spec"]["environmentRef"]["name"] = gateway.environment
    return asked | more


async def test_a_person_may_what_their_role_allows(gateway: RealGateway) -> None:
    namespace = gateway.world.tenant
    await grant(gateway, "get", "list", "create")
    token = await gateway.token()
    headers = {"Authorization": f"Bearer {token}"}
    asked = in_environment(EVALUATE, gateway, namespace=namespace)

    async with gateway.replica() as client:

        async def allowed() -> bool:
            answer = await client.get(f"{JOBS}?namespace={namespace}", headers=headers)
            return answer.status_code == 200

        await until(allowed)  # the API server learns of a role by a watch of its own
        made = await client.post(JOBS, json=asked, headers=headers)
        assert made.status_code == 201, made.text
        path = made.headers["location"]
        assert (await client.get(path, headers=headers)).json()["id"] == made.json()["id"]
        assert (await client.post(JOBS, json=asked, headers=headers)).status_code == 200
        for refused in (
            await client.post(f"{path}/stop", headers=headers),
            await client.delete(path, headers=headers),
            await client.get(f"{JOBS}?namespace=kube-system", headers=headers),
        ):
            assert refused.status_code == 403, refused.text
        forged = {"Authorization": f"Bearer {token[:-3]}xyz"}
        assert (await client.get(path, headers=forged)).status_code == 401
    [job] = await gateway.jobs()
    assert (job.metadata.name, job.spec.owner) == ("how-good", asked["spec"]["owner"])


async def test_a_mistake_is_refused_as_kubectl_would(gateway: RealGateway) -> None:
    async with gateway.replica() as client:
        body = in_environment(TRAIN, gateway)
        body["spec"]["nodes"] = 0
        refused = await ask(client, BOB, "POST", JOBS, json=body)
        assert refused.status_code == 400
        assert "spec.nodes" in refused.json()["detail"]
    assert await gateway.jobs() == []


async def test_a_wallets_job_is_seen_by_it_alone_at_every_replica(gateway: RealGateway) -> None:
    async with gateway.replica() as one, gateway.replica() as other:
        made = await ask(one, BOB, "POST", JOBS, json=in_environment(TRAIN, gateway))
        assert made.status_code == 201, made.text
        path = made.headers["location"]
        assert (await ask(other, BOB, "GET", path)).status_code == 200  # no watch needs to be quick
        assert (await ask(other, CAROL, "GET", path)).status_code == 404
        assert (await ask(other, CAROL, "DELETE", path)).status_code == 404
        stop = one.build_request("POST", f"{path}/stop")
        nonce = time.time_ns()
        stop.headers["authorization"] = signed(BOB, stop, nonce)
        assert (await one.send(stop)).json()["stopAsked"] is True
        replayed = other.build_request("DELETE", path)
        replayed.headers["authorization"] = signed(BOB, replayed, nonce)
        assert (await other.send(replayed)).status_code == 400
        assert len(await gateway.jobs()) == 1
        assert (await ask(other, BOB, "DELETE", path)).status_code == 204

        async def gone() -> bool:
            return (await ask(one, BOB, "GET", path)).status_code == 404

        await until(gone)
