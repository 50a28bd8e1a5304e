"""Who is who in the test cluster: a token for each server, and the kubeconfigs that carry them."""

import base64
import json
import secrets
from pathlib import Path

from tests.cluster.layout import API_SERVER_URL, CERTS, KUBECONFIG, NODE_NAME, STATE
from tests.cluster.shell import run

TOKENS = CERTS / "tokens.csv"
SERVICE_ACCOUNT_KEY = CERTS / "service-accounts.key"
SERVING_CERTIFICATE = CERTS / "apiserver.crt"  # made by kube-apiserver itself at its first start
KUBELET_CLIENT_CERTIFICATE = CERTS / "kubelet-client.crt"
KUBELET_CLIENT_KEY = CERTS / "kubelet-client.key"

# Our short name → (user, group); the roles of these users come with Kubernetes.
USERS = {
    "admin": ("admin", "system:masters"),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    "kube-proxy": ("system:kube-proxy", ""),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
}


def make_secrets() -> None:
    """Make keys and tokens for a new cluster; those of a cluster that is up are kept."""
    CERTS.mkdir(parents=True, exist_ok=True, mode=0o700)
    if TOKENS.exists():
        return
    run("openssl", "genrsa", "-out", SERVICE_ACCOUNT_KEY, "2048")
    _make_kubelet_client_certificate()
    lines = [f'{secrets.token_hex(24)},{user},{user},"{group}"' for user, group in USERS.values()]
    TOKENS.write_text("\n".join(lines) + "\n")
    TOKENS.chmod(0o600)


def _make_kubelet_client_certificate() -> None:
    """The API server's identity towards the kubelet, so that pods can't use the kubelet's port."""
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
        "-subj", "/O=system:masters/CN=kube-apiserver",
        "-keyout", KUBELET_CLIENT_KEY, "-out", KUBELET_CLIENT_CERTIFICATE)  # fmt: skip


def write_kubeconfigs() -> None:
    """Write one kubeconfig a user; the API server must have made its certificate by now."""
    authority = SERVING_CERTIFICATE.read_bytes()
    for name, line in zip(USERS, TOKENS.read_text().splitlines(), strict=True):
        write_kubeconfig(name, line.partition(",")[0], API_SERVER_URL, authority)


def write_kubeconfig(name: str, token: str, server: str, authority: bytes) -> None:
    """Write a user's kubeconfig: JSON, which is YAML too, so that our own client can read it."""
    path = kubeconfig(name)
    path.touch(mode=0o600)
    path.write_text(json.dumps(_kubeconfig(token, server, authority), indent=1))


def kubeconfig(name: str) -> Path:
    """Where a user's kubeconfig lies; the admin's is the one that people use."""
    return KUBECONFIG if name == "admin" else STATE / f"{name}.kubeconfig"


def _kubeconfig(token: str, server: str, authority: bytes) -> dict[str, object]:
    encoded = base64.b64encode(authority).decode()
    cluster = {"server": server, "certificate-authority-data": encoded}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "posthuman",
        "clusters": [{"name": "posthuman", "cluster": cluster}],
        "users": [{"name": "posthuman", "user": {"token": token}}],
        "contexts": [
            {"name": "posthuman", "context": {"cluster": "posthuman", "user": "posthuman"}}
        ],
    }
