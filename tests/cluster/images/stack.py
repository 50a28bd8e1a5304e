"""Stacks of layers that are built once: each layer's name in the cache covers all below it.

Every stack is also a nameable image in containerd, which keeps its layers from being collected and
tells, after any crash, which of them are really there.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.images import snapshots
from tests.cluster.images.layer import LayerTar
from tests.cluster.images.steps import Step
from tests.cluster.images.store import Blob, image_names, importing
from tests.cluster.layout import CACHE
from tests.cluster.shell import say

CACHED_IMAGE_PREFIX = "posthuman-build.local"


@dataclass(frozen=True)
class Stack:
    """Layers from the lowest to the topmost, and the digest of how they came about."""

    key: str = ""
    layers: tuple[Blob, ...] = ()


def extend(below: Stack, step: Step, image: str) -> Stack:
    """Put one layer on a stack: out of the cache, or by carrying the step out."""
    key = hashlib.sha256(f"{below.key}\0{step.fingerprint}".encode()).hexdigest()[:24]
    name = f"{CACHED_IMAGE_PREFIX}/{image}:{key}"
    record = CACHE / "layers" / f"{key}.json"
    if record.exists() and name in image_names():
        return Stack(key, _read(record))
    started = time.monotonic()
    layers = _build(below, step, name)
    _write(record, layers)
    mebibytes, seconds = layers[-1].size_bytes >> 20, time.monotonic() - started
    say(f"{image}: {step.label} ({mebibytes} MiB, {seconds:.0f} s)")
    return Stack(key, layers)


def _build(below: Stack, step: Step, name: str) -> tuple[Blob, ...]:
    bench_key = f"build-{name.rpartition(':')[2]}"
    with snapshots.workbench(bench_key, snapshots.chain_id(below.layers)) as bench:
        step.carry_out(bench.root)
        with importing() as stream:
            layers = (*below.layers, stream.add_layer(LayerTar(bench.changes)))
            snapshots.commit(bench, layers)
            stream.add_image(name, {}, layers)
    snapshots.release(layers)
    return layers


def _read(record: Path) -> tuple[Blob, ...]:
    return tuple(Blob(digest, size) for digest, size in json.loads(record.read_text()))


def _write(record: Path, layers: tuple[Blob, ...]) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps([(layer.digest, layer.size_bytes) for layer in layers]))
