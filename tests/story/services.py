"""What environments of the cluster rest on: an S3 server and a chain, in a namespace of their own.

People and tests outside the cluster reach both at ports of the node (examples/cluster).
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial

import msgspec
from obstore.store import ObjectStore

from posthuman.api.environment import ChainContracts, StoreSpec
from posthuman.ledger.deploy import deploy
from posthuman.store.results import ObjectResultStore, open_results
from tests.cluster import facts
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import REPOSITORY
from tests.cluster.shell import wait_until

MANIFEST = REPOSITORY / "examples" / "cluster" / "services.yaml"
NAMESPACE = "posthuman-services"
S3_NODE_PORT, CHAIN_NODE_PORT = 30070, 30545
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "posthuman-demo",
    "AWS_SECRET_ACCESS_KEY": "posthuman-demo-secret",
}


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Both services, as seen from outside the cluster."""

    s3_endpoint: str
    rpc_url: str
    contracts: ChainContracts

    def results(self, url: str) -> ObjectResultStore:
        """An environment's store, by the url of its spec."""
        spec = StoreSpec(url=url, endpoint=self.s3_endpoint, region="us-east-1")
        return open_results(spec, CREDENTIALS)

    def objects(self, url: str) -> ObjectStore:
        """The same as an object store."""
        return self.results(url).objects


def start() -> Services:
    """Fresh and empty: pods of an earlier time, and all they held, are thrown away."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    kubectl("apply", "-f", MANIFEST)
    for name in ("s3", "chain"):
        kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{name}", "--timeout=90s")
    node = facts.read()["NODE_IP"]
    for port in (S3_NODE_PORT, CHAIN_NODE_PORT):
        wait_until(f"port {port} of the node", partial(_answers, node, port), 30)
    rpc_url = f"http://{node}:{CHAIN_NODE_PORT}"
    return Services(
        s3_endpoint=f"http://{node}:{S3_NODE_PORT}",
        rpc_url=rpc_url,
        contracts=asyncio.run(deploy(rpc_url)),
    )


def stop() -> None:
    """Both, with everything in them."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def _answers(host: str, port: int) -> bool:
    """kube-proxy opens a node's port a little after the pod is ready."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
