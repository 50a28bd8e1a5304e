"""Refusals of a server, in our terms; and what happens when there is none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from posthuman.errors import Conflict, NotFound, SecretForbidden, TransientError, UserError
from posthuman.kube.client import KubeClient
from posthuman.kube.connection import connect
from posthuman.kube.resources import PODS, SECRETS
from posthuman.metrics import Metrics


class Server:
    """Answers every request as the test says; keeps what was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = {}
        self.asked: list[tuple[str, str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, await request.text()))
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return web.Response(status=self.status, text=text)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server, tmp_path: Path) -> AsyncIterator[KubeClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, port = runner.addresses[0][:2]
    client = KubeClient(await connect(kubeconfig(tmp_path, port)), Metrics())
    yield client
    await client.close()
    await runner.cleanup()


def kubeconfig(folder: Path, port: int) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "test", "user": {"token": "test-token"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UserError),
        (401, TransientError),
        (403, TransientError),
        (404, NotFound),
        (409, Conflict),
        (410, TransientError),
        (422, UserError),
        (429, TransientError),
        (500, TransientError),
        (503, TransientError),
        (504, TransientError),
    ],
)
async def test_a_refusal_is_an_error_of_ours_with_the_server_s_sentence(
    server: Server, client: KubeClient, status: int, kind: type[Exception]
) -> None:
    server.status, server.body = status, {"message": "the server's sentence", "reason": "Why"}
    with pytest.raises(kind, match="the server's sentence") as caught:
        await client.get(PODS, "work", "a")
    assert caught.type is kind


async def test_a_secret_that_may_not_be_read(server: Server, client: KubeClient) -> None:
    server.status, server.body = 403, {"message": "secrets is forbidden"}
    with pytest.raises(SecretForbidden):
        await client.get(SECRETS, "work", "a")


async def test_a_refusal_that_is_no_json_is_quoted(server: Server, client: KubeClient) -> None:
    server.status, server.body = 502, "<html>bad gateway</html>"
    with pytest.raises(TransientError, match="bad gateway"):
        await client.get(PODS, "work", "a")


async def test_a_name_that_is_taken_is_told_from_a_lost_race(
    server: Server, client: KubeClient
) -> None:
    server.status, server.body = 409, {"reason": "AlreadyExists", "message": "exists"}
    with pytest.raises(Conflict) as caught:
        await client.create(PODS, {"metadata": {"name": "a", "namespace": "work"}})
    assert caught.value.reason == "AlreadyExists"


async def test_deleting_what_is_absent_is_done(server: Server, client: KubeClient) -> None:
    server.status = 404
    await client.delete(PODS, "work", "a", {"gracePeriodSeconds": 0})
    (asked,) = server.asked
    assert asked == ("DELETE", "/api/v1/namespaces/work/pods/a", '{"gracePeriodSeconds":0}')


async def test_a_list_asks_for_labels(server: Server, client: KubeClient) -> None:
    server.body = {"items": []}
    await client.list(PODS, selector="a=b")
    assert server.asked == [("GET", "/api/v1/pods?labelSelector=a%3Db", "")]


async def test_no_server_is_transient(tmp_path: Path) -> None:
    client = KubeClient(await connect(kubeconfig(tmp_path, 1)), Metrics())
    with pytest.raises(TransientError, match="can't be reached"):
        await client.get(PODS, "work", "a")
    await client.close()
