"""Manifests of the cluster's tests, as dicts. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from posthuman.api.environment import ChainContracts
from posthuman.api.meta import API_VERSION
from posthuman.ledger.account import DEV_KEYS
from posthuman.ledger.node import CHAIN_ID
from tests.story.installation import WORK_NAMESPACE
from tests.story.services import CREDENTIALS, NAMESPACE

Body = dict[str, Any]

S3_INSIDE = f"http://s3.{NAMESPACE}.svc:7070"
RPC_API_KEY = "c0ffee5ec2e7"  # as providers of nodes put one into their URLs
RPC_INSIDE = f"http://chain.{NAMESPACE}.svc:8545/?apikey={RPC_API_KEY}"
STORE_SECRET, RPC_SECRET, SIGNER_SECRET = "store-credentials", "chain-rpc", "chain-signer"
SIGNER_KEY = DEV_KEYS[9]
STRANGER = "0x976EA74026E726554dB657fA54763abd0C3a0aa9"  # an account that nobody plays


def secrets() -> list[Body]:
    """What environments on the cluster's services need in the work namespace."""
    store = {
        "accessKeyId": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "secretAccessKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
    return [
        _secret(STORE_SECRET, store),
        _secret(RPC_SECRET, {"url": RPC_INSIDE}),
        _secret(SIGNER_SECRET, {"privateKey": SIGNER_KEY.hex()}),
    ]


def environment(name: str, contracts: ChainContracts, **spec: Any) -> Body:
    """Small, on CPU, sealed in the pod; a test names only what it is about."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ComputeEnvironment",
        "metadata": {"name": name},
        "spec": {
            "workNamespace": WORK_NAMESPACE,
            "hardware": {"maxNodes": 2, "cpuPerNode": "500m", "memoryPerNode": "2Gi"},
            "workspace": {"size": "1Gi", "accessMode": "ReadWriteMany"},
            "store": {
                "url": f"s3://posthuman/{name}",
                "endpoint": S3_INSIDE,
                "region": "us-east-1",
                "credentialsSecret": {"name": STORE_SECRET},
            },
            "chain": {
                "chainId": CHAIN_ID,
                "rpcUrlSecret": {"name": RPC_SECRET},
                "signerSecret": {"name": SIGNER_SECRET},
                "contracts": msgspec.to_builtins(contracts),
            },
            "seal": "InPod",
            **spec,
        },
    }


def compute_job(namespace: str, name: str, **spec: Any) -> Body:
    """A job of the stranger's, in the environment `tests` if no other is named."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ComputeJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"environmentRef": {"name": "tests"}, "owner": STRANGER, **spec},
    }


def container(image: tuple[str, str], *command: str) -> Body:
    """`spec.algorithm`: an image of one's own (repository, digest) and what it runs."""
    reference, digest = image
    own = {"reference": reference, "entrypoint": list(command)}
    return {"image": {**own, "digest": digest} if digest else own}


def _secret(name: str, content: dict[str, str]) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": WORK_NAMESPACE},
        "stringData": content,
    }


def as_text(*bodies: Body) -> str:
    """For `kubectl apply -f -`: JSON is YAML."""
    return "\n---\n".join(json.dumps(body) for body in bodies)
