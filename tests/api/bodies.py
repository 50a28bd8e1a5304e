"""Manifests for the tables: one good object of each kind, and variations of it."""

from __future__ import annotations

import copy
from typing import Any, Final

from posthuman.api.meta import API_VERSION

ALICE: Final = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BOB: Final = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
DIGEST: Final = "sha256:" + "a" * 64
DID: Final = "did:op:" + "b" * 64

Body = dict[str, Any]
ABSENT: Final = object()

_GOOD: dict[str, Body] = {
    "ComputeJob": {
        "environmentRef": {"name": "a100"},
        "owner": BOB,
        "algorithm": {"builtin": {"name": "train"}},
    },
    "ComputeEnvironment": {
        "workNamespace": "posthuman-work",
        "store": {"url": "s3://results/alice"},
    },
    "ModelAsset": {
        "environmentRef": {"name": "a100"},
        "owner": ALICE,
        "source": {"prefix": f"uploads/{ALICE}/gpt2", "manifestDigest": DIGEST},
        "metadata": {"name": "GPT-2", "description": "As it was published"},
    },
}


def good(kind: str, **changes: Any) -> Body:
    """The smallest good object of a kind, with top-level spec fields set (or ABSENT)."""
    spec = copy.deepcopy(_GOOD[kind]) | changes
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": "it"},
        "spec": {name: value for name, value in spec.items() if value is not ABSENT},
    }


def job(**changes: Any) -> Body:
    """A good ComputeJob but for the changes."""
    return good("ComputeJob", **changes)


def environment(**changes: Any) -> Body:
    """A good ComputeEnvironment but for the changes."""
    return good("ComputeEnvironment", **changes)


def asset(**changes: Any) -> Body:
    """A good ModelAsset but for the changes."""
    return good("ModelAsset", **changes)


def named(name: str, body: Body) -> Body:
    """The same object under another name."""
    return body | {"metadata": {"name": name}}


def chain(**changes: Any) -> Body:
    """A good chain of an environment but for the changes."""
    return {
        "chainId": 8996,
        "rpcUrlSecret": {"name": "chain", "key": "url"},
        "signerSecret": {"name": "signer", "key": "key"},
    } | changes


def text_input(**changes: Any) -> Body:
    """A good input but for the changes (ABSENT removes a field)."""
    fields = {"name": "text", "uri": "https://example.org/text.jsonl"} | changes
    return {name: value for name, value in fields.items() if value is not ABSENT}
