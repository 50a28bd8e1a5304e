"""Out of memory, said in the words of the parameters that can change it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from algorithms.shared.failures import OutOfMemory
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.parameters import TrainingParameters

CPU_ALLOCATOR = "DefaultCPUAllocator"  # torch's own has no exception of its own


@contextmanager
def explained_memory(parameters: TrainingParameters, ranks: Ranks) -> Iterator[None]:
    """Raises OutOfMemory for what torch and Python raise when memory is used up."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(_sentence(parameters, ranks, error)) from error
    except RuntimeError as error:
        if CPU_ALLOCATOR not in str(error):
            raise
        raise OutOfMemory(_sentence(parameters, ranks, error)) from error


def _sentence(parameters: TrainingParameters, ranks: Ranks, error: BaseException) -> str:
    where = "GPU's" if ranks.device.type == "cuda" else "machine's"
    first_line = str(error).strip().partition("\n")[0]
    return (
        f"The {where} memory is too small: {', or '.join(remedies(parameters, ranks.world_size))} "
        f"({type(error).__name__}: {first_line})."
    )


def remedies(parameters: TrainingParameters, world_size: int) -> list[str]:
    """What to change, that which costs least first."""
    found = []
    rows = parameters.batch_size // world_size
    if rows > parameters.gradient_accumulation:
        found.append(
            f"raise gradientAccumulation (now {parameters.gradient_accumulation}, at most {rows})"
        )
    if not parameters.gradient_checkpointing:
        found.append("set gradientCheckpointing")
    if world_size > 1 and parameters.zero != 3:
        found.append("set zero to 3")
    if parameters.offload == "none":
        found.append("set zero to 3 and offload to optimizer")
    return [*found, "lower blockLength or batchSize, or train with LoRA (loraRank)"]
