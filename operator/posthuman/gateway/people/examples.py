"""Examples in the API's documentation; the tests submit them."""

from __future__ import annotations

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from posthuman.gateway.people.job_view import JobDetail

TRAIN = {
    "name": "gpt2-on-my-text",
    "spec": {
        "environmentRef": {"name": "a100"},
        "algorithm": {"builtin": {"name": "train"}},
        "inputs": [
            {"name": "model", "kind": "model", "assetRef": {"namespace": "alice", "name": "gpt2"}},
            {"name": "text", "kind": "dataset", "uri": "https://example.com/text.jsonl"},
        ],
        "parameters": {"steps": 500},
        "gpusPerNode": 8,
        "publish": {"name": "GPT-2 on my text", "description": "500 more steps", "reward": "200"},
    },
}
EVALUATE = {
    "name": "how-good",
    "namespace": "bob",
    "spec": {
        "environmentRef": {"name": "a100"},
        "owner": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "algorithm": {"builtin": {"name": "evaluate"}},
        "inputs": [
            {"name": "model", "kind": "model", "assetRef": {"namespace": "alice", "name": "gpt2"}}
        ],
    },
}
NEW_JOBS = [
    Example(summary="A wallet trains; the owner is who signs", value=TRAIN),
    Example(summary="A person with a bearer token, in a namespace of theirs", value=EVALUATE),
]
SAME_JOB = ResponseSpec(
    JobDetail, generate_examples=False, description="The same was asked for before: this is it"
)
