"""How to reach the API server: from a kubeconfig file, or from within a pod.

The official client's `kubernetes.aio` reads the configuration (files, exec plug-ins, token
rotation); requests then go through an aiohttp session of our own with plain JSON, since the
generated models cost more time than the API server does. Kopf gets a session made the same way.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from posthuman.errors import UserError

CONNECT_TIMEOUT_SECONDS = 5.0
REQUEST_TIMEOUT_SECONDS = 30.0

# The package is typed, these two functions are not.
_load_kubeconfig: Callable[..., Awaitable[object]] = config.load_kube_config
_load_in_cluster: Callable[..., object] = config.load_incluster_config

# What they raise: TypeError where the YAML is another than a kubeconfig's.
_UNUSABLE = (config.ConfigException, OSError, TypeError, UnicodeDecodeError, yaml.YAMLError)


class _NamedServer(ssl.SSLContext):
    """Expects the certificate of another name than the URL's (a kubeconfig's tls-server-name)."""

    server_name: str | None = None

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        name = self.server_name or server_hostname
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


class Connection:
    """One API server, and who we are there."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    @property
    def host(self) -> str:
        """Like https://10.96.0.1:443, without a slash at the end."""
        return self._configuration.host.rstrip("/")

    async def headers(self) -> dict[str, str]:
        """Authorization as it is now: tokens within a pod are replaced while it runs."""
        token = await self._configuration.get_api_key_with_prefix("BearerToken")
        return {"Authorization": token} if token else {}

    def session(
        self,
        headers: dict[str, str] | None = None,
        response_class: type[aiohttp.ClientResponse] = aiohttp.ClientResponse,
    ) -> aiohttp.ClientSession:
        """A session with TLS as configured; the caller closes it."""
        timeout = aiohttp.ClientTimeout(
            total=REQUEST_TIMEOUT_SECONDS, sock_connect=CONNECT_TIMEOUT_SECONDS
        )
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls()),
            headers=headers or {},
            proxy=self._configuration.proxy,
            response_class=response_class,
            timeout=timeout,
        )

    def _tls(self) -> ssl.SSLContext:
        settings = self._configuration
        context = _NamedServer(ssl.PROTOCOL_TLS_CLIENT)
        context.server_name = settings.tls_server_name
        if settings.ssl_ca_cert:
            context.load_verify_locations(cafile=settings.ssl_ca_cert)
        else:
            context.load_default_certs()
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, keyfile=settings.key_file)
        if not settings.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _one_is_there(kubeconfigs: str, named_by: str) -> None:
    """Of one or more paths, as $KUBECONFIG has them. Raises UserError."""
    if any(Path(path).expanduser().exists() for path in kubeconfigs.split(os.pathsep) if path):
        return
    raise UserError(
        f'there is no kubeconfig "{kubeconfigs}": name one by {named_by}',
        "NoKubeconfig",
    )


def _why(error: Exception) -> str:
    if isinstance(error, (config.ConfigException, OSError)):
        return str(error).rstrip(".")
    return "it holds no kubeconfig's YAML"


async def connect(kubeconfig: str = "") -> Connection:
    """From a kubeconfig file; without one, from the pod's service account.

    Raises UserError where neither can be read.
    """
    settings = Configuration()
    try:
        if kubeconfig:
            _one_is_there(kubeconfig, "--kubeconfig")
            await _load_kubeconfig(
                config_file=kubeconfig, client_configuration=settings, persist_config=False
            )
        else:
            _load_in_cluster(client_configuration=settings)
    except _UNUSABLE as error:
        place = f"kubeconfig {kubeconfig}" if kubeconfig else "the pod's service account"
        raise UserError(
            f"{place} can't be used: {_why(error)}; name a kubeconfig, or run inside a cluster",
            "NoKubeconfig",
        ) from error
    return Connection(settings)


async def connect_as_person(context: str = "") -> Connection:
    """As kubectl would: by $KUBECONFIG or ~/.kube/config, in a context of it (the current one).

    Raises UserError where that can't be used.
    """
    settings = Configuration()
    files = os.environ.get("KUBECONFIG", "~/.kube/config")
    _one_is_there(files, "KUBECONFIG")
    try:
        await _load_kubeconfig(
            config_file=files,
            context=context or None,
            client_configuration=settings,
            persist_config=False,
        )
    except _UNUSABLE as error:
        where = f'context "{context}" of {files}' if context else files
        raise UserError(
            f"{where} can't be used: {_why(error)}; "
            "`kubectl config get-contexts` lists what there is",
            "NoKubeconfig",
        ) from error
    return Connection(settings)
