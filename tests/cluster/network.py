"""The pods' network: one bridge whose address is also the node's, since a kubelet refuses loopback.

Pods reach each other, the cluster's services and this machine, and nothing beyond it: tests must
not depend on the internet.
"""

import json
from pathlib import Path

from tests.cluster.layout import BRIDGE, NODE_IP, POD_CIDR, RUN, SAVED_SYSCTLS, STATE
from tests.cluster.shell import attempt, run

# br_netfilter shows bridged packets to kube-proxy's rules: without it a reply between two pods
# would go past the address translation of the service that the request came through.
SYSCTLS = ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables")
# The kubelet sets these by itself; they are set back when the cluster goes.
KUBELET_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
)
CNI_CONFIG = RUN / "cni"
KUBE_PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))


def up() -> None:
    """Make the bridge and set the kernel's switches, remembering what they were."""
    if not Path("/proc/sys/net/bridge").exists():
        run("modprobe", "br_netfilter")
    _set_sysctls()
    if attempt("ip", "link", "show", BRIDGE).returncode != 0:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "replace", f"{NODE_IP}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    _write_cni_config()


def down() -> None:
    """Take away the bridge and the rules of our kube-proxy, and set the switches back."""
    attempt("ip", "link", "delete", BRIDGE)
    for family, table in KUBE_PROXY_TABLES:
        attempt("nft", "delete", "table", family, table)
    if SAVED_SYSCTLS.exists():
        for name, value in json.loads(SAVED_SYSCTLS.read_text()).items():
            Path("/proc/sys", name).write_text(value)


def _set_sysctls() -> None:
    names = SYSCTLS + KUBELET_SYSCTLS
    before = {name: Path("/proc/sys", name).read_text().strip() for name in names}
    if not SAVED_SYSCTLS.exists():
        SAVED_SYSCTLS.parent.mkdir(parents=True, exist_ok=True)
        SAVED_SYSCTLS.write_text(json.dumps(before))
    for name in SYSCTLS:
        Path("/proc/sys", name).write_text("1")


def _write_cni_config() -> None:
    address_range = {
        "type": "host-local",
        "dataDir": str(STATE / "ipam"),
        "ranges": [[{"subnet": POD_CIDR, "gateway": NODE_IP}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": address_range,
    }
    network = {"cniVersion": "0.4.0", "name": "posthuman", "plugins": [bridge]}
    CNI_CONFIG.mkdir(parents=True, exist_ok=True)
    (CNI_CONFIG / "10-posthuman.conflist").write_text(json.dumps(network, indent=1))
