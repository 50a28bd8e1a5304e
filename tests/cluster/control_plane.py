"""etcd, the API server, the controllers and the scheduler."""

from tests.cluster import credentials, daemons
from tests.cluster.binaries import program
from tests.cluster.credentials import kubeconfig
from tests.cluster.kubectl import api_ready
from tests.cluster.layout import (
    CERTS,
    ETCD_PEER_URL,
    ETCD_URL,
    NODE_IP,
    SERVICE_CIDR,
    STATE,
)
from tests.cluster.shell import wait_until


def up() -> None:
    """Start them in the order in which they need each other (API ready in about 5 s)."""
    credentials.make_secrets()
    daemons.start("etcd", _etcd())
    daemons.start("kube-apiserver", _api_server())
    wait_until("the API server's certificate", credentials.SERVING_CERTIFICATE.exists, 30)
    credentials.write_kubeconfigs()
    wait_until("the API server", _api_ready, 90, "Its log is in .run/cluster/logs.")
    daemons.start("kube-controller-manager", _controller_manager())
    daemons.start("kube-scheduler", _scheduler())


def _api_ready() -> bool:
    daemons.require_alive("etcd")
    daemons.require_alive("kube-apiserver")
    return api_ready()


def _etcd() -> list[str]:
    return [
        str(program("etcd")),
        f"--data-dir={STATE / 'etcd'}",
        f"--listen-client-urls={ETCD_URL}",
        f"--advertise-client-urls={ETCD_URL}",
        f"--listen-peer-urls={ETCD_PEER_URL}",
        f"--initial-advertise-peer-urls={ETCD_PEER_URL}",
        f"--initial-cluster=default={ETCD_PEER_URL}",
        "--unsafe-no-fsync",  # the cluster dies with the machine anyway, and tests are faster
        "--log-level=warn",
    ]


def _api_server() -> list[str]:
    return [
        str(program("kube-apiserver")),
        f"--etcd-servers={ETCD_URL}",
        f"--bind-address={NODE_IP}",
        f"--advertise-address={NODE_IP}",
        f"--cert-dir={CERTS}",
        f"--token-auth-file={credentials.TOKENS}",
        f"--service-account-key-file={credentials.SERVICE_ACCOUNT_KEY}",
        f"--service-account-signing-key-file={credentials.SERVICE_ACCOUNT_KEY}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--enable-admission-plugins=NodeRestriction",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={credentials.KUBELET_CLIENT_CERTIFICATE}",
        f"--kubelet-client-key={credentials.KUBELET_CLIENT_KEY}",
    ]


# The defaults (20 and 50 calls a second) are for a control plane that many share.
_RATE = ("--kube-api-qps=500", "--kube-api-burst=1000")


def _controller_manager() -> list[str]:
    return [
        str(program("kube-controller-manager")),
        f"--kubeconfig={kubeconfig('kube-controller-manager')}",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={credentials.SERVICE_ACCOUNT_KEY}",
        f"--root-ca-file={credentials.SERVING_CERTIFICATE}",
        f"--cert-dir={STATE / 'kube-controller-manager'}",
        *_RATE,
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ]


def _scheduler() -> list[str]:
    return [
        str(program("kube-scheduler")),
        f"--kubeconfig={kubeconfig('kube-scheduler')}",
        f"--cert-dir={STATE / 'kube-scheduler'}",
        *_RATE,
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ]
