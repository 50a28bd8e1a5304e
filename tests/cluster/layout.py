"""Where the test cluster keeps things, and the addresses it uses: one place to look them up.

Three kinds of places. The *cache* outlives clusters and checkouts: binaries and image layers. The
*state* folder belongs to one cluster of this checkout. The *run* folder is one for the machine,
because the bridge's address is: it says which checkout's cluster is up, and its path is short, as
unix sockets need.
"""

import os
from pathlib import Path

KUBERNETES_VERSION = "1.34.4"

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("POSTHUMAN_CACHE") or Path.home() / ".cache" / "posthuman")

STATE = REPOSITORY / ".run" / "cluster"
KUBECONFIG = STATE / "kubeconfig"
ENV_FILE = STATE / "env"
LOGS = STATE / "logs"
CERTS = STATE / "certs"
VOLUMES = STATE / "volumes"

RUN = Path("/run/posthuman-cluster")
OWNER_FILE = RUN / "owner"
SAVED_SYSCTLS = RUN / "sysctls"
# Where Docker works nobody need be root, nor may everybody write to /run.
PIDS = (RUN if os.geteuid() == 0 else STATE) / "pids"
CONTAINERD_SOCKET = RUN / "containerd.sock"
CONTAINERD_ROOT = CACHE / "containerd"

NODE_NAME = "posthuman"
BRIDGE = "posthuman0"
NODE_IP = "10.244.0.1"
POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVER_URL = f"https://{NODE_IP}:6443"
ETCD_URL = "http://127.0.0.1:23790"
ETCD_PEER_URL = "http://127.0.0.1:23800"

IMAGE_PREFIX = "ghcr.io/posthuman-network"
TEST_IMAGE_PREFIX = "docker.io/posthuman-test"
PAUSE_IMAGE = f"{TEST_IMAGE_PREFIX}/pause:dev"
