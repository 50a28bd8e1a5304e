"""What the provider makes of a buyer's request: one stage of a workflow, as it goes to the backend.

See ocean_provider/validation/algo.py for the provider's side. `algocustomdata` is the buyer's own.
"""

from __future__ import annotations

from typing import Any

from posthuman.cli.story.script import TINY, Upload

BUILTIN_TRAIN = {
    "image": "ghcr.io/posthuman-network/algorithms",
    "tag": "0.1.0",
    "entrypoint": "posthuman-builtin train",
    "checksum": "",
}


def training(did: str, tx_id: str, text: Upload, steps: int) -> dict[str, Any]:
    """Train the model with this DID on the buyer's own text, and publish what comes of it."""
    return {
        "index": 0,
        "input": [{"index": 0, "id": did, "remote": {"txId": tx_id, "serviceId": "train"}}],
        "compute": {"Instances": 1, "namespace": "ocean-compute", "maxtime": 3600},
        "algorithm": {
            "id": "",
            "url": None,
            "rawcode": "",
            "container": BUILTIN_TRAIN,
            "algocustomdata": _custom_data(text, steps),
        },
        "output": {"metadataUri": "https://aquarius.example.org"},
    }


def _custom_data(text: Upload, steps: int) -> dict[str, Any]:
    return {
        "steps": steps,
        "batchSize": TINY.batch_size,
        "blockLength": TINY.block_length,
        "learningRate": TINY.learning_rate,
        "uploads": [{"name": "text", "upload": text.prefix, "sha256": text.sha256}],
        "publish": {
            "name": "A tiny model, trained by Bob",
            "description": "A few more steps on Bob's verses.",
            "reward": "200",
        },
    }
