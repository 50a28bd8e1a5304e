"""A corner of a real API server where the CRDs can be tried without touching anybody's objects.

The CRDs get a group of their own, so neither an operator nor another test sees them.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from posthuman.api.meta import GROUP, PLURALS, VERSION
from posthuman.api.schema import crds_folder
from tests.api.bodies import Body

ESTABLISHED_WITHIN_SECONDS = 60


class Refused(Exception):
    """The API server's errors, as (path: words), or its whole message if it names no field."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__(*errors)
        self.errors = errors


class Server:
    """Applies objects as a dry run, or onto an object that it makes first."""

    def __init__(self, api: client.ApiClient, group: str, namespace: str) -> None:
        self.group = group
        self.namespace = namespace
        self._objects = client.CustomObjectsApi(api)

    def create(self, body: Body) -> Body:
        """Create it as a dry run, unknown fields refused. Raises Refused."""
        return self._try("create", body, body=self._ours(body), dry_run="All")

    def replace(self, body: Body, old: Body) -> Body:
        """Make `old`, replace it by `body` as a dry run, delete it. Raises Refused."""
        made = self._try("create", old, body=self._ours(old))
        name = made["metadata"]["name"]
        ours = self._ours(body)
        ours["metadata"] |= {"resourceVersion": made["metadata"]["resourceVersion"]}
        try:
            return self._try("replace", body, name=name, body=ours, dry_run="All")
        finally:
            self._try("delete", old, name=name)

    def _ours(self, body: Body) -> Body:
        copied: Body = json.loads(json.dumps(body))
        return copied | {"apiVersion": f"{self.group}/{VERSION}"}

    def _try(self, verb: str, kind_of: Body, **arguments: Any) -> Body:
        plural = PLURALS[kind_of["kind"]]
        where: dict[str, str] = {"group": self.group, "version": VERSION, "plural": plural}
        scope = "cluster" if plural == "computeenvironments" else "namespaced"
        if scope == "namespaced":
            where["namespace"] = self.namespace
        call = getattr(self._objects, f"{verb}_{scope}_custom_object")
        strict = {} if verb == "delete" else {"field_validation": "Strict"}
        try:
            done: Body = call(**where, **arguments, **strict)
        except ApiException as error:
            raise Refused(_errors(json.loads(error.body or "{}"))) from error
        return done


def _errors(status: Body) -> list[str]:
    causes = status.get("details", {}).get("causes", [])
    return [f"{cause['field']}: {cause['message']}" for cause in causes] or [status["message"]]


@contextmanager
def prepared(kubeconfig: Path) -> Iterator[Server]:
    """The CRDs under a group of their own and a namespace; both are deleted at the end."""
    api = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]  # as it comes
    token = secrets.token_hex(4)
    group, namespace = f"{token}.posthuman.test", f"api-{token}"
    definitions, core = client.ApiextensionsV1Api(api), client.CoreV1Api(api)
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))
    names = [_define(definitions, path, group) for path in sorted(crds_folder().glob("*.yaml"))]
    try:
        for name in names:
            _wait_until_served(definitions, name)
        yield Server(api, group, namespace)
    finally:
        for name in names:
            definitions.delete_custom_resource_definition(name)
        core.delete_namespace(namespace)


def _define(definitions: client.ApiextensionsV1Api, path: Path, group: str) -> str:
    text = path.read_text(encoding="utf-8").replace(GROUP, group)
    body = yaml.safe_load(text)
    definitions.create_custom_resource_definition(body)
    return str(body["metadata"]["name"])


def _wait_until_served(definitions: client.ApiextensionsV1Api, name: str) -> None:
    deadline = time.monotonic() + ESTABLISHED_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if _established(definitions.read_custom_resource_definition(name)):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{name} isn't served after {ESTABLISHED_WITHIN_SECONDS} s")


def _established(definition: client.V1CustomResourceDefinition) -> bool:
    conditions = (definition.status and definition.status.conditions) or []
    return any(c.type == "Established" and c.status == "True" for c in conditions)
