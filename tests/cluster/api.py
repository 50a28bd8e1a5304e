"""A small Kubernetes client for the provisioner, which runs before any package is there."""

import base64
import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

JsonObject = dict[str, Any]


class ApiClient:
    """One connection to the API server, as the user of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        address = urlsplit(cluster["server"]).netloc
        self._connection = http.client.HTTPSConnection(address, context=context, timeout=30)
        self._headers = {
            "Authorization": f"Bearer {config['users'][0]['user']['token']}",
            "Content-Type": "application/json",
        }

    def request(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        """Send one request; an answer that says it was no use is raised."""
        content = json.dumps(body) if body is not None else None
        self._connection.request(method, path, content, self._headers)
        response = self._connection.getresponse()
        answer: JsonObject = json.loads(response.read())
        if response.status >= 400:
            raise ApiError(response.status, f"{method} {path}: {answer.get('message')}")
        return answer

    def close(self) -> None:
        self._connection.close()


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
