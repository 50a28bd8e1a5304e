"""`zero: auto` made definite: the stage, the offload and the parts a step is computed in.

The same estimate that a job was accepted by (algorithms.shared.preflight) is asked again here, with
the memory that the machine really has; what it says is printed, so that a person can object.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open

from algorithms.shared.failures import BadModel
from algorithms.shared.models.loading import read_config
from algorithms.shared.preflight.facts import Hardware, ModelFacts
from algorithms.shared.preflight.training import Training
from algorithms.shared.preflight.work import Work
from algorithms.shared.preflight.zero import ZeroChoice, choose_zero
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.parameters import P, TrainingParameters

DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}  # as safetensors writes them
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def settled(parameters: P, facts: ModelFacts, length: int, ranks: Ranks) -> P:
    """The same parameters with nothing left to choose; rank 0 says what was chosen, and why."""
    if parameters.zero != "auto":
        return parameters
    if parameters.tensor_parallel > 1:
        return msgspec.structs.replace(parameters, zero=0)
    hardware = own_hardware(ranks.device)
    training = training_of(parameters, facts, length, hardware)
    choice = choose_zero(facts, training, hardware)
    if ranks.is_first:
        print(sentence(choice), flush=True)
    return with_choice(parameters, choice, training.rows)


def training_of(
    parameters: TrainingParameters, facts: ModelFacts, length: int, hardware: Hardware
) -> Training:
    """What the estimate asks of a run; read as at the job's acceptance, but for the length."""
    work = Work("train", msgspec.to_builtins(parameters))
    return dataclasses.replace(work.training(facts, hardware), length=length)


def with_choice(parameters: P, choice: ZeroChoice, rows: int) -> P:
    """Parts enough that no rank computes more rows at once than were chosen."""
    return msgspec.structs.replace(
        parameters,
        zero=choice.stage,
        offload=choice.offload,
        gradient_accumulation=parameters.gradient_accumulation * -(-rows // choice.micro_batch),
    )


def sentence(choice: ZeroChoice) -> str:
    """For the log."""
    doubt = ", which is more than there is" if choice.fits is False else ""
    stage = f"zero {choice.stage}, offload {choice.offload}" if choice.stage else "no ZeRO"
    return f"zero auto: {stage}. {choice.why}{doubt}."


def folder_facts(folder: Path) -> ModelFacts:
    """Of a folder's config.json and the headers of its weights; no weight is read. Raises
    BadModel."""
    counts: Counter[str] = Counter()
    for file in sorted(folder.glob("*.safetensors")):
        counts += _elements(file)
    config = read_config(folder)
    kind = counts.most_common(1)[0][0] if counts else "F32"
    return ModelFacts(
        model_type=config.model_type,
        parameter_count=counts.total(),
        dtype=DTYPES.get(kind, kind.lower()),
        config=config.to_dict(),
    )


def _elements(file: Path) -> Counter[str]:
    """How many numbers of each dtype a file of weights holds."""
    counts: Counter[str] = Counter()
    try:
        with safe_open(file, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118 - it is no dict
                piece = stored.get_slice(name)
                counts[piece.get_dtype()] += torch.Size(piece.get_shape()).numel()
    except SafetensorError as error:
        raise BadModel(f"{file} is no whole safetensors file: {error}.") from error
    return counts


def own_hardware(device: torch.device) -> Hardware:
    """What torchrun says of the ranks, and this node of its memory."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    on_gpus = device.type == "cuda"
    memory = torch.cuda.get_device_properties(device).total_memory if on_gpus else 0
    return Hardware(
        nodes=max(1, world // here),
        gpus_per_node=here if on_gpus else 0,
        processes_per_node=here,
        gpu_memory_bytes=memory,
        node_memory_bytes=node_memory(),
    )


def node_memory(limit_file: Path = CGROUP_LIMIT) -> int:
    """Bytes: the node's, or the container's limit if that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = limit_file.read_text().strip() if limit_file.is_file() else "max"
    return total if limit == "max" else min(total, int(limit))
