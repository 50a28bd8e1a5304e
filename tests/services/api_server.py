"""A person's API server, as far as commands ask it: objects by path, merge patches, refusals.

The real one is asked by the cluster's suites; this one also refuses what a test wants refused.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import yaml

from posthuman.api.meta import API_VERSION, PLURALS

Body = dict[str, Any]


class ApiServer:
    """What it holds and refuses; `asked` are (verb, path)."""

    def __init__(self) -> None:
        self.objects: dict[str, Body] = {}
        self.refused: set[str] = set()  # verbs that the person has no right to
        self.asked: list[tuple[str, str]] = []
        self.kubeconfig = Path()

    def hold(self, body: Body) -> None:
        """Like `kubectl apply`."""
        meta = body["metadata"]
        where = f"namespaces/{meta['namespace']}/" if "namespace" in meta else ""
        path = f"/apis/{API_VERSION}/{where}{PLURALS[body['kind']]}/{meta['name']}"
        meta.setdefault("resourceVersion", "1")
        self.objects[path] = body

    def answer(self, verb: str, path: str, content: bytes) -> tuple[int, Body]:
        """One request."""
        self.asked.append((verb, path))
        if verb in self.refused:
            return 403, {"reason": "Forbidden", "message": f'User "bob" cannot {verb} resource'}
        if path not in self.objects:
            return 404, {"reason": "NotFound", "message": "not found"}
        if verb == "PATCH":
            self._patch(self.objects[path], msgspec.json.decode(content))
        return 200, self.objects[path]

    def _patch(self, body: Body, patch: Body) -> None:
        assert patch["metadata"]["resourceVersion"] == body["metadata"]["resourceVersion"]
        body["metadata"].setdefault("annotations", {}).update(patch["metadata"]["annotations"])


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """With a kubeconfig that has two contexts, `lab` (the current one) and `gone`."""
    server = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            code, body = server.answer(self.command, self.path, self.rfile.read(length))
            raw = msgspec.json.encode(body)
            self.send_response(code)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_PATCH = _answer  # noqa: N815  # as http.server calls them

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr, which is the command's."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    server.kubeconfig = folder / "kubeconfig"
    server.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(listening.server_address[1])))
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def _kubeconfig(port: int) -> Body:
    def cluster(name: str, port: int) -> Body:
        return {"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}}

    names = ("lab", "gone")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [cluster("lab", port), cluster("gone", 1)],
        "users": [{"name": "bob", "user": {"token": "t"}}],
        "contexts": [{"name": n, "context": {"cluster": n, "user": "bob"}} for n in names],
    }
