"""A rank's own file in a checkpoint: safetensors, with the facts of the run in its header.

What is cut over ranks can only go on where it was cut alike; whatever else is refused in words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from algorithms.shared.failures import CheckpointMismatch

Facts = Mapping[str, object]  # what must be the same again, by the words of the parameters


def write_rank_file(file: Path, tensors: Iterable[tuple[str, torch.Tensor]], facts: Facts) -> None:
    """Tensors may lie on any device."""
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors}
    save_file(whole, file, metadata={"run": json.dumps(dict(facts))})


def read_rank_file(file: Path, facts: Facts) -> dict[str, torch.Tensor]:
    """On the CPU. Raises CheckpointMismatch."""
    if not file.is_file():
        raise CheckpointMismatch(
            f"The checkpoint {file.parent} has no {file.name}: it was written by fewer ranks, or "
            "with another way to cut the model. Resume as it was written, or start anew."
        )
    try:
        with safe_open(file, framework="pt") as stored:
            _compare(json.loads((stored.metadata() or {}).get("run", "{}")), facts)
            return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointMismatch(f"The checkpoint's {file} can't be read: {error}.") from error


def _compare(saved: Facts, facts: Facts) -> None:
    for name, now in facts.items():
        if saved.get(name) != now:
            raise CheckpointMismatch(
                f"The checkpoint was written with {name} {saved.get(name)}, this run has {name} "
                f"{now}. Its parts fit only what they were cut for: resume with {name} "
                f"{saved.get(name)}, or start anew."
            )


@torch.no_grad()
def fill(target: torch.Tensor, saved: Mapping[str, torch.Tensor], name: str) -> None:
    """In place. Raises CheckpointMismatch if the file has no such tensor of this shape."""
    source = saved.get(name)
    if source is None or source.shape != target.shape:
        found = "nothing" if source is None else f"shape {tuple(source.shape)}"
        raise CheckpointMismatch(
            f"The checkpoint has {found} for {name}, the model wants {tuple(target.shape)}: it is "
            "of another model. Resume with the model it was made of, or start anew."
        )
    target.copy_(source)


def refuse_strange(saved: Mapping[str, torch.Tensor], own: Iterable[str]) -> None:
    """Raises CheckpointMismatch for weights that the model lacks. "<weight>:<figure>" is what an
    optimiser knows of a weight; a model that wasn't trained yet has none of those."""
    strange = sorted({name.partition(":")[0] for name in saved} - set(own))
    if strange:
        raise CheckpointMismatch(
            f"The checkpoint has {strange[0]}, which the model lacks: it is of another model. "
            "Resume with the model it was made of, or start anew."
        )
