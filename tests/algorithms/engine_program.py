"""What each rank of the engines' tests runs: some scenarios one after the other, in one process.

`torchrun … engine_program.py PLAN RESULTS`: PLAN holds a list of scenarios, RESULTS gets a list of
what came out, in the same order. Starting Python with torch is what takes the time.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from transformers import AutoModelForCausalLM

from algorithms.shared.failures import Failure
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.ranks import Ranks, joined_ranks
from algorithms.shared.tasks.base import Batch, Example, ModelTask, TaskName
from algorithms.shared.training.engine import Engine, EngineFactory

ROWS, LENGTH, VOCABULARY = 8, 12, 50
LEARNING_RATE = 1e-2
WEIGHT_DECAY = 0.1
PROMPT = [3, 4, 5]


class NextToken(ModelTask):
    """A causal language model's loss, and nothing that the tests don't need."""

    name: ClassVar[TaskName] = "causal-lm"
    columns = ("text",)
    tokenizer = None

    def encode(self, fields: Mapping[str, Any], length: int) -> Iterator[Example]:
        raise NotImplementedError("the tests make their batches of numbers")

    def collate(self, examples: Sequence[Example]) -> Batch:
        raise NotImplementedError("the tests make their batches of numbers")

    def targets(self, batch: Batch) -> int:
        return batch["input_ids"][:, 1:].numel()

    def outputs(self, network: Any, batch: Batch) -> Any:
        return network(input_ids=batch["input_ids"], use_cache=False)

    def loss_sum(self, outputs: Any, batch: Batch) -> torch.Tensor:
        logits = outputs.logits[:, :-1].float().flatten(0, 1)
        targets = batch["input_ids"][:, 1:].flatten()
        return torch.nn.functional.cross_entropy(logits, targets, reduction="sum")


def rows_of(step: int) -> torch.Tensor:
    """[ROWS, LENGTH]: the same on every rank, other ones for each step, with something to learn."""
    generator = torch.Generator().manual_seed(step)
    first = torch.randint(VOCABULARY, (ROWS, 1), generator=generator)
    return (first + torch.arange(LENGTH)) % VOCABULARY


def main(plan: Path, results: Path) -> None:
    with joined_ranks(seed=1) as ranks:
        ended = [_run(scenario, ranks) for scenario in json.loads(plan.read_text())]
        if ranks.is_first:
            results.write_text(json.dumps(ended))
    sys.stdout.flush()
    os._exit(0)


def _run(scenario: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    try:
        return _trained(scenario, ranks)
    except Failure as failure:
        return {"failure": failure.reason, "message": str(failure)}
    finally:
        gc.collect()  # an engine's hooks hold its network in a circle


def _trained(scenario: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    torch.manual_seed(1)
    factory = _factory(scenario, ranks)
    with factory.loading():
        network = _network(scenario, factory)
    held = _held(network)
    engine = factory.engine(LoadedModel(network, None, NextToken(), torch.float32))
    if scenario.get("resume"):
        engine.load_state(Path(scenario["folder"]))
    before = _held_out(engine)
    result = _steps(scenario, engine)
    result |= {"before": before, "held_out": _held_out(engine), "held": held}
    if scenario.get("generate"):
        result["generated"] = generated(engine.network)
    weights = engine.full_weights()
    if weights is not None and scenario.get("weights"):
        from safetensors.torch import save_file

        save_file({n: w.clone() for n, w in weights.items()}, scenario["weights"])
    return result


def _held(network: Any) -> int:
    """Elements of the weights that this rank has in memory."""
    return sum(
        weight.numel() + (weight.ds_tensor.numel() if hasattr(weight, "ds_tensor") else 0)
        for weight in network.parameters()
    )


def _steps(scenario: dict[str, Any], engine: Engine) -> dict[str, Any]:
    losses, norms = [], []
    engine.network.train()
    for step in range(*scenario["steps"]):
        losses.append(_backward(engine, step, scenario.get("parts", 1), scenario.get("poison")))
        norms.append(engine.step(LEARNING_RATE, scenario.get("clip", 0.0)))
        if step + 1 == scenario.get("save_after"):
            engine.save_state(Path(scenario["folder"]))
            _together()
    return {"losses": losses, "norms": [norm if math.isfinite(norm) else None for norm in norms]}


def _backward(engine: Engine, step: int, parts: int, poison: bool | None) -> float:
    """The loss a target over all ranks."""
    task, rows = NextToken(), rows_of(step)
    targets = task.targets({"input_ids": rows})
    mine = rows[engine.data_rank :: engine.data_ranks]
    nats = torch.zeros(())
    for part in range(parts):
        batch = {"input_ids": mine[part::parts]}
        scale = math.inf if poison and engine.data_rank == 0 else 1 / targets
        nats += engine.backward(task, batch, scale, last=part == parts - 1)
    if engine.data_ranks > 1:
        dist.all_reduce(nats)
    return float(nats) / targets


@torch.no_grad()
def _held_out(engine: Engine) -> float:
    """By the network alone, as the loop scores what is held out."""
    engine.network.eval()
    batch = {"input_ids": rows_of(1000)}
    task = NextToken()
    return float(task.loss_sum(task.outputs(engine.network, batch), batch)) / task.targets(batch)


@torch.no_grad()
def generated(network: Any) -> list[int]:
    """The prompt and four tokens, the likeliest each time."""
    prompt = torch.tensor([PROMPT])
    mask = torch.ones_like(prompt)
    out = network.generate(
        input_ids=prompt, attention_mask=mask, max_new_tokens=4, do_sample=False, pad_token_id=0
    )
    return [int(token) for token in out[0]]


def _together() -> None:
    if dist.is_initialized():
        dist.barrier()


def _network(scenario: dict[str, Any], factory: EngineFactory) -> Any:
    request = factory.request(LoadRequest(folder=Path(scenario["model"])))
    load: Any = AutoModelForCausalLM.from_pretrained
    if request.tensor_parallel > 1:
        size = request.tensor_parallel
        return load(request.folder, dtype=request.dtype, tp_plan="auto", tp_size=size)
    network = load(request.folder, dtype=request.dtype)
    return with_lora(network) if scenario.get("lora") else network


def with_lora(network: Any) -> Any:
    """Adapters on queries and values."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(network, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))


def _factory(scenario: dict[str, Any], ranks: Ranks) -> EngineFactory:
    if scenario.get("stage"):
        from algorithms.shared.training.zero import ZeroFactory
        from algorithms.shared.training.zero_config import ZeroSettings

        settings = ZeroSettings(
            stage=scenario["stage"],
            offload=scenario.get("offload", "none"),
            dtype=getattr(torch, scenario.get("dtype", "float32")),
            weight_decay=WEIGHT_DECAY,
            persistent_below=40,  # norms alone: the test's model is tiny
        )
        return ZeroFactory(settings, ranks)
    from algorithms.shared.training.parameters import TrainingParameters
    from algorithms.shared.training.tensor_parallel import TensorParallelFactory

    parameters = TrainingParameters(
        tensor_parallel=scenario["tensor_parallel"],
        zero=scenario.get("zero", "auto"),
        dtype=scenario.get("dtype", "float32"),
        weight_decay=WEIGHT_DECAY,
    )
    return TensorParallelFactory(parameters, ranks)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
