"""`zero: auto`: which ZeRO stage, which offload, and how many rows at once.

The higher the stage, the more is exchanged (stage 3: half as much again, Rajbhandari et al., 2020,
section 7), and offload is bound by the bus; so the first of these wins that has the GPUs compute
enough tokens at once to be busy. One that doesn't fit at all is never chosen if another does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from algorithms.shared.preflight.facts import Hardware, ModelFacts
from algorithms.shared.preflight.states import Offload
from algorithms.shared.preflight.training import (
    PROCESS_BYTES,
    Estimate,
    Training,
    data_ranks,
    estimate_training,
    memory_of_device,
)
from algorithms.shared.preflight.wording import (
    device_name,
    gigabytes,
    named_hardware,
    named_model,
    named_stage,
)

USABLE = 0.92  # of the memory: the allocator loses some between tensors of unlike size
BUSY_TOKENS = 2048  # at once: matrix products of fewer rows leave a large GPU waiting
ORDER: tuple[tuple[int, Offload], ...] = (
    (0, "none"),
    (1, "none"),
    (2, "none"),
    (3, "none"),
    (2, "optimizer"),
    (3, "optimizer"),
    (3, "all"),
)


@dataclass(frozen=True)
class ZeroChoice:
    """`micro_batch`: rows at once on each rank, a divisor of the rows it has in a step; `fits`
    False: the least that is possible is still too much, or (None) the memory isn't known."""

    stage: int
    offload: Offload
    micro_batch: int
    estimate: Estimate
    fits: bool | None
    why: str


def choose_zero(model: ModelFacts, training: Training, hardware: Hardware) -> ZeroChoice:
    """What the training asks for is kept: a stage, an offload, a micro-batch that it names."""
    options = [_largest(model, training, hardware, *spread) for spread in _spreads(training)]
    options = [option for option in options if option.fits is not False] or [
        min(options, key=lambda option: excess(option.estimate, hardware))
    ]
    enough = min(training.rows * training.length, BUSY_TOKENS)
    busy = (option for option in options if option.micro_batch * training.length >= enough)
    best = next(busy, None) or max(options, key=lambda option: option.micro_batch)
    return dataclasses.replace(best, why=_why(best, model, training, hardware))


def _spreads(training: Training) -> Iterator[tuple[int, Offload]]:
    """Those that agree with what was asked for; offload is never chosen unasked for a stage that
    was asked for."""
    for stage, offload in ORDER:
        free = training.zero is None and training.offload == "none"
        if training.zero not in (None, stage) or not (free or offload == training.offload):
            continue
        yield stage, offload


def _largest(
    model: ModelFacts, training: Training, hardware: Hardware, stage: int, offload: Offload
) -> ZeroChoice:
    """The most rows at once that fit; one, if none does."""
    spread = dataclasses.replace(training, offload=offload)
    micro_batches = [training.micro_batch] if training.micro_batch else _divisors(training.rows)
    for micro_batch in micro_batches:
        estimate = estimate_training(model, spread, hardware, stage, micro_batch)
        fits = _fits(estimate, hardware)
        if fits is not False:
            break
    return ZeroChoice(stage, offload, micro_batch, estimate, fits, "")


def _divisors(rows: int) -> list[int]:
    return [n for n in range(max(1, rows), 0, -1) if rows % n == 0] or [1]


def _fits(estimate: Estimate, hardware: Hardware) -> bool | None:
    if not memory_of_device(hardware):
        return None
    return excess(estimate, hardware) <= USABLE


def excess(estimate: Estimate, hardware: Hardware) -> float:
    """What is needed over what there is, of the device's memory or the node's, whichever is
    scarcer; above 1 it can't be had. 0 where the memory isn't known."""
    memory, node = memory_of_device(hardware), hardware.node_memory_bytes
    beside = PROCESS_BYTES if hardware.gpus_per_node else estimate.device
    on_node = hardware.processes_per_node * (estimate.host + beside)
    return max(
        estimate.device / memory if memory else 0.0,
        on_node / node if estimate.host and node else 0.0,
    )


def _why(choice: ZeroChoice, model: ModelFacts, training: Training, hardware: Hardware) -> str:
    """One sentence: the estimate, and what it is held against."""
    estimate = choice.estimate
    rows = f"{choice.micro_batch} × {training.length} tokens"
    memory = memory_of_device(hardware)
    held = f" of {gigabytes(memory)}" if memory else ""
    return (
        f"{named_model(model)}, AdamW in {training.dtype}, "
        f"{named_stage(choice.stage, choice.offload)} on {named_hardware(hardware)}: about "
        f"{gigabytes(estimate.states)} {device_name(hardware)} for weights, gradients and "
        f"optimiser, {gigabytes(estimate.device)}{held} with {rows} at once"
    )


def fitting_gpus(model: ModelFacts, training: Training, hardware: Hardware) -> int:
    """The fewest GPUs (a power of two) that would do, of all nodes; 0: none that one would lend."""
    fixed = dataclasses.replace(training, zero=None, rows=1, micro_batch=1)
    for count in (1, 2, 4, 8, 16, 32, 64):
        if count < training.tensor_parallel:
            continue
        wide = {"nodes": 1, "gpus_per_node": count, "processes_per_node": count}
        wider = dataclasses.replace(hardware, **wide)
        if data_ranks(fixed, wider) and choose_zero(model, fixed, wider).fits:
            return count
    return 0
