"""A small asyncio client of the Kubernetes API: JSON in, JSON out, our errors.

The one place that knows HTTP status codes. Nothing is tried again here: the work queue does that,
with back-off and a fresh look at the world.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import aiohttp
import msgspec

from posthuman.errors import Conflict, NotFound, SecretForbidden, TransientError, UserError
from posthuman.kube.connection import CONNECT_TIMEOUT_SECONDS, Connection
from posthuman.kube.resources import Resource

Body = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
ALREADY_EXISTS = "AlreadyExists"  # the reason of a Conflict on creation
LOG_IDLE_SECONDS = 600.0  # a followed log that says nothing for so long is opened anew


class CallObserver(Protocol):
    """Told of every request; metrics.py counts them."""

    def api_call(self, verb: str, kind: str, code: int, seconds: float) -> None: ...


class KubeClient:
    """Requests to one API server. Raises TransientError where none reaches it."""

    def __init__(self, connection: Connection, observer: CallObserver) -> None:
        self._connection = connection
        self._observer = observer
        self._session = connection.session()

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        """Raises NotFound, SecretForbidden."""
        return await self._call("get", resource, resource.path(namespace, name))

    async def list(
        self, resource: Resource, namespace: str = "", selector: str = "", metadata: bool = False
    ) -> Body:
        """The whole list; `metadata`: without spec and status."""
        params = {"labelSelector": selector} if selector else {}
        headers = {"Accept": METADATA_ONLY} if metadata else {}
        path = resource.path(namespace)
        return await self._call("list", resource, path, params=params, headers=headers)

    async def create(self, resource: Resource, body: Body) -> Body:
        """Raises Conflict with reason AlreadyExists, UserError for what the server refuses."""
        namespace = body["metadata"].get("namespace", "")
        return await self._call("create", resource, resource.path(namespace), body=body)

    async def replace(self, resource: Resource, body: Body, subresource: str = "") -> Body:
        """Write at the resourceVersion that the body carries; raises Conflict."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
        return await self._call("update", resource, path, body=body)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Body) -> Body:
        """A JSON merge patch; with a resourceVersion in its metadata it may raise Conflict."""
        headers = {"Content-Type": MERGE_PATCH}
        path = resource.path(namespace, name)
        return await self._call("patch", resource, path, body=body, headers=headers)

    async def delete(
        self, resource: Resource, namespace: str, name: str, options: Body | None = None
    ) -> None:
        """Ask for deletion; what is absent is done."""
        try:
            path = resource.path(namespace, name)
            await self._call("delete", resource, path, body=options or {})
        except NotFound:
            return

    async def delete_all(
        self, resource: Resource, namespace: str, selector: str, options: Body
    ) -> None:
        """Ask for the deletion of every object with these labels."""
        params = {"labelSelector": selector}
        path = resource.path(namespace)
        await self._call("deletecollection", resource, path, params=params, body=options)

    def stream_log(
        self, resource: Resource, namespace: str, name: str, params: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.StreamReader]:
        """A container's log as it is written."""
        path = resource.path(namespace, name, "log")
        return self._stream(resource, "log", path, params, LOG_IDLE_SECONDS)

    def stream_watch(
        self, resource: Resource, namespace: str, params: Mapping[str, str], idle_seconds: float
    ) -> AbstractAsyncContextManager[aiohttp.StreamReader]:
        """Events from a resourceVersion on, one JSON object a line."""
        path = resource.path(namespace)
        return self._stream(resource, "watch", path, {**params, "watch": "true"}, idle_seconds)

    @asynccontextmanager
    async def _stream(
        self,
        resource: Resource,
        verb: str,
        path: str,
        params: Mapping[str, str],
        idle_seconds: float,
    ) -> AsyncIterator[aiohttp.StreamReader]:
        timeout = aiohttp.ClientTimeout(
            sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=idle_seconds
        )
        url = self._connection.host + path
        headers = await self._connection.headers()
        try:
            async with self._session.get(
                url, params=params, headers=headers, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read(), resource, verb, url)
                yield response.content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unreachable(error) from error

    async def _call(
        self,
        verb: str,
        resource: Resource,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Body:
        began, code = time.monotonic(), 0
        try:
            code, raw = await self._send(METHODS[verb], path, params or {}, headers or {}, body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unreachable(error) from error
        finally:
            self._observer.api_call(verb, resource.kind, code, time.monotonic() - began)
        if code >= 400:
            raise _error(code, raw, resource, verb, path)
        decoded: Body = msgspec.json.decode(raw)
        return decoded

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: Body | None,
    ) -> tuple[int, bytes]:
        content_type = {} if body is None else {"Content-Type": "application/json"}
        all_headers = {**await self._connection.headers(), **content_type, **headers}
        content = None if body is None else msgspec.json.encode(body)
        url = self._connection.host + path
        async with self._session.request(
            method, url, params=params, headers=all_headers, data=content
        ) as response:
            return response.status, await response.read()


METHODS = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}


class _Status(msgspec.Struct, frozen=True):
    """What the API server says of a request it refused."""

    reason: str = ""
    message: str = ""


def _unreachable(error: BaseException) -> TransientError:
    said = str(error) or type(error).__name__
    return TransientError(f"the API server can't be reached: {said}", "ApiServerUnreachable")


def _error(code: int, raw: bytes, resource: Resource, verb: str, path: str) -> Exception:
    """The refusal in our terms."""
    status = _status(raw)
    message = status.message or f"{verb} {path}: HTTP {code}"
    if code == 404:
        return NotFound(message)
    if code == 409:
        return Conflict(message, status.reason or "Conflict")
    if code == 403 and resource.kind == "Secret":
        return SecretForbidden(message)
    if code in (400, 422):
        return UserError(message)
    return TransientError(message, status.reason or f"Http{code}")


def _status(raw: bytes) -> _Status:
    try:
        return msgspec.json.decode(raw, type=_Status)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return _Status(message=raw[:300].decode(errors="replace"))
