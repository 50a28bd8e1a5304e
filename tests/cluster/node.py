"""What makes this machine a node: containerd, the kubelet, kube-proxy and the cluster's DNS."""

import json

from tests.cluster import containerd, credentials, daemons
from tests.cluster.binaries import program
from tests.cluster.kubectl import kubectl, pretend_gpus
from tests.cluster.layout import (
    CONTAINERD_SOCKET,
    KUBECONFIG,
    NODE_IP,
    NODE_NAME,
    POD_CIDR,
    STATE,
)
from tests.cluster.shell import wait_until

KUBELET_CONFIG = STATE / "kubelet.json"
PROXY_CONFIG = STATE / "kube-proxy.json"
RESOLV_CONF = STATE / "resolv.conf"
COREFILE = STATE / "Corefile"


def up() -> None:
    """Start the node's servers and wait until Kubernetes calls it Ready (about 10 s)."""
    containerd.up()
    _write_configs()
    daemons.start("kubelet", _kubelet())
    daemons.start("kube-proxy", [program("kube-proxy"), f"--config={PROXY_CONFIG}"])
    daemons.start("coredns", [program("coredns"), "-conf", COREFILE])
    wait_until("the node", _ready, 90, "Its log is .run/cluster/logs/kubelet.log.")
    pretend_gpus(NODE_NAME)


def _ready() -> bool:
    for name in ("containerd", "kubelet", "kube-proxy", "coredns"):
        daemons.require_alive(name)
    path = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
    selector = f"kubernetes.io/hostname={NODE_NAME}"
    return kubectl("get", "nodes", "--selector", selector, "-o", f"jsonpath={path}") == "True"


def _write_configs() -> None:
    RESOLV_CONF.write_text(f"nameserver {NODE_IP}\n")
    KUBELET_CONFIG.write_text(json.dumps(_kubelet_config(), indent=1))
    PROXY_CONFIG.write_text(json.dumps(_proxy_config(), indent=1))
    COREFILE.write_text(_corefile())


def _kubelet() -> list[str]:
    return [
        str(program("kubelet")),
        f"--config={KUBELET_CONFIG}",
        f"--kubeconfig={credentials.kubeconfig('kubelet')}",
        f"--root-dir={STATE / 'kubelet'}",
        f"--cert-dir={STATE / 'kubelet' / 'pki'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_IP}",
        "--node-labels=nvidia.com/gpu.product=NVIDIA-A100-SXM4-80GB",
    ]


def _kubelet_config() -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(credentials.KUBELET_CLIENT_CERTIFICATE)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [NODE_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": str(RESOLV_CONF),
        "podLogsDir": str(STATE / "pod-logs"),
        "volumePluginDir": str(STATE / "kubelet" / "volume-plugins"),
        "makeIPTablesUtilChains": False,
        "maxPods": 200,
        # Images come from no registry: one that the kubelet threw away could not be had again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {},
    }


def _proxy_config() -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(credentials.kubeconfig("kube-proxy"))},
        "mode": "nftables",
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": NODE_NAME,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def _corefile() -> str:
    """Names outside the cluster don't exist: a test that asks for one learns so at once."""
    return f"""\
cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {{
    bind {NODE_IP}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {KUBECONFIG} posthuman
        ttl 1
    }}
}}
.:53 {{
    bind {NODE_IP}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
