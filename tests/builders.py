"""Objects for tests, each whole and valid by default; a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import FINALIZER
from posthuman.api.parse import parse
from posthuman.assets.did import did_of
from posthuman.environments.catalogue import BuiltinFacts
from posthuman.jobs.observed import Settings

BOB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ALICE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
# What signs for the environment: anvil's last development account, and Alice's NFT by it.
SIGNER = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"
ALICE_NFT = "0x94099942864EA81cCF197E9D71ac53310b1468D8"
ALICE_DID = did_of(ALICE_NFT, 8996)
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
CREATED = "2026-01-01T11:59:00Z"
READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
SETTINGS = Settings(
    catalogue={
        "train": BuiltinFacts(
            name="train",
            version="0.1.0",
            digest="sha256:" + "a" * 64,
            folder="train",
            inputs=("model", "text"),
            parameters={
                "type": "object",
                "properties": {
                    "steps": {"type": "integer", "minimum": 1},
                    "learningRate": {"type": "number"},
                    "task": {"type": "string"},
                },
                "additionalProperties": False,
            },
        ),
        "evaluate": BuiltinFacts(
            name="evaluate", version="0.1.0", digest="sha256:" + "b" * 64, folder="evaluate"
        ),
        "question-answer": BuiltinFacts(
            name="question-answer",
            version="0.1.0",
            digest="sha256:" + "d" * 64,
            folder="question_answer",
        ),
    }
)


class HeldClock:
    """A clock that moves when told to."""

    def __init__(self, moment: datetime = NOW) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.moment += timedelta(seconds=seconds)


def environment(name: str = "a100", ready: bool = True, **spec: Any) -> ComputeEnvironment:
    """An environment of one node with 8 GPUs."""
    body = {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1"},
        "spec": {
            "workNamespace": "work",
            "store": {"url": "s3://results/env", "endpoint": "http://10.0.0.5:7070"},
            "hardware": {"gpusPerNode": 8, "cpuPerNode": "8", "memoryPerNode": "64Gi"},
            **spec,
        },
        "status": {"conditions": [READY] if ready else [], "signer": SIGNER},
    }
    return parse(body, ComputeEnvironment)


CHAIN = {
    "chainId": 8996,
    "rpcUrlSecret": {"name": "chain", "key": "url"},
    "signerSecret": {"name": "chain", "key": "signer"},
}
MODEL_INPUT = {
    "name": "model",
    "kind": "model",
    "assetRef": {"namespace": "alice", "name": "gpt2"},
}
TEXT_INPUT = {"name": "text", "kind": "dataset", "uri": "https://example.com/text.jsonl"}


def job(name: str = "bob-trains", uid: str = "11112222-3333", **spec: Any) -> ComputeJob:
    """A job that trains; it carries our finalizer already."""
    body = {
        "metadata": {
            "name": name,
            "namespace": "bob",
            "uid": uid,
            "resourceVersion": "1",
            "generation": 1,
            "creationTimestamp": CREATED,
            "finalizers": [FINALIZER],
        },
        "spec": {
            "environmentRef": {"name": "a100"},
            "owner": BOB,
            "algorithm": {"builtin": {"name": "train"}},
            "inputs": [TEXT_INPUT, {**TEXT_INPUT, "name": "model", "kind": "model"}],
            **spec,
        },
    }
    return parse(body, ComputeJob)


def asset(name: str = "gpt2", namespace: str = "alice", ready: bool = True) -> ModelAsset:
    """Alice's published model."""
    body = {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"},
        "spec": {
            "environmentRef": {"name": "a100"},
            "owner": ALICE,
            "source": {
                "prefix": f"uploads/{ALICE.lower()}/{name}",
                "manifestDigest": "sha256:" + "c" * 64,
            },
            "metadata": {"name": "GPT-2", "description": "the smallest of them"},
        },
        "status": {
            "did": ALICE_DID,
            "nft": ALICE_NFT,
            "conditions": [READY] if ready else [],
        },
    }
    return parse(body, ModelAsset)
