"""Sizes and settings as a person reads them."""

from __future__ import annotations

from algorithms.shared.preflight.facts import Hardware, ModelFacts
from algorithms.shared.preflight.states import Offload

GIGA = 1_000_000_000
OFFLOADED = {
    "none": "",
    "optimizer": ", the optimiser in the node's memory",
    "all": ", weights and optimiser in the node's memory",
}


def gigabytes(size: float) -> str:
    """`14 GB`, `2.3 GB`, `0.04 GB`: two digits that say something."""
    amount = size / GIGA
    return f"{amount:.0f} GB" if amount >= 10 else f"{amount:.2g} GB"


def named_model(model: ModelFacts) -> str:
    """`gptj with 6.05 billion parameters`."""
    count = model.parameter_count
    if count >= GIGA:
        return f"{model.model_type} with {count / GIGA:.3g} billion parameters"
    return f"{model.model_type} with {max(count, 1) / 1_000_000:.3g} million parameters"


def named_hardware(hardware: Hardware) -> str:
    """`8 × 80 GB`; of CPUs the processes."""
    nodes = f"{hardware.nodes} × " if hardware.nodes > 1 else ""
    if hardware.gpus_per_node:
        memory = gigabytes(hardware.gpu_memory_bytes) if hardware.gpu_memory_bytes else "GPU"
        return f"{nodes}{hardware.gpus_per_node} × {memory}"
    processes = hardware.processes_per_node
    plural = "es" if processes > 1 else ""
    return f"{nodes}{processes} process{plural} on CPU"


def named_stage(stage: int, offload: Offload) -> str:
    """`ZeRO-3, the optimiser in the node's memory`."""
    return (f"ZeRO-{stage}" if stage else "without ZeRO") + OFFLOADED[offload]


def device_name(hardware: Hardware) -> str:
    """Of which there is an estimate."""
    return "a GPU" if hardware.gpus_per_node else "a process"
