"""DeepSpeed's ZeRO behind the engine's contract: optimiser, gradients and weights cut over ranks.

deepspeed is imported only when it is used: it takes seconds, and only the algorithms' image has it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from algorithms.shared.failures import BadParameter
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import Batch, ModelTask
from algorithms.shared.training import zero_state
from algorithms.shared.training.engine import Engine, EngineFactory
from algorithms.shared.training.zero_config import ZeroSettings, deepspeed_config


class ZeroFactory(EngineFactory):
    """DeepSpeed made ready for one run, before its model is loaded.

    Raises BadParameter where deepspeed isn't installed.
    """

    def __init__(self, settings: ZeroSettings, ranks: Ranks) -> None:
        self._settings = settings
        self._config = deepspeed_config(settings, ranks.device)
        self._deepspeed = _import_deepspeed()
        _join_alone(ranks)
        self._deepspeed.init_distributed(verbose=False)
        self._told: object = None

    def request(self, request: LoadRequest) -> LoadRequest:
        """DeepSpeed moves the model itself; stage 3 never has it whole."""
        return replace(request, device=None, dtype=self._settings.dtype)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """In stage 3 transformers cuts the weights as it loads them, so no rank holds all. That
        mode lasts as long as the factory and its engine: generating and saving ask for it too."""
        if self._settings.stage == 3:
            told: Any = importlib.import_module("transformers.integrations.deepspeed")
            self._told = told.HfDeepSpeedConfig(self._config)  # transformers refers to it weakly
        yield

    def engine(self, model: LoadedModel) -> Engine:
        """The model was loaded as `request` says, within `loading`."""
        weights = _adamw(model.network, self._settings)
        wrapped, optimizer, _, _ = self._deepspeed.initialize(
            model=model.network, optimizer=weights, config=self._config
        )
        return ZeroEngine(wrapped, optimizer, self._settings, self._told)


class ZeroEngine(Engine):
    """One rank's share."""

    kind = "zero"
    portable = False

    def __init__(self, wrapped: Any, optimizer: Any, settings: ZeroSettings, told: object) -> None:
        self.network = wrapped.module
        self.data_ranks, self.data_rank = dist.get_world_size(), dist.get_rank()
        self._wrapped, self._optimizer, self._settings = wrapped, optimizer, settings
        self._told = told  # keeps transformers' stage 3 on

    def backward(self, task: ModelTask, batch: Batch, scale: float, last: bool) -> torch.Tensor:
        """DeepSpeed takes the mean over the ranks, this loss is a sum over them."""
        self._wrapped.set_gradient_accumulation_boundary(last)
        nats = task.loss_sum(task.outputs(self._wrapped, batch), batch)
        self._wrapped.backward(nats * (scale * self.data_ranks))
        return nats.detach()

    def step(self, learning_rate: float, clip: float) -> float:
        """DeepSpeed itself leaves the weights as they are if the norm isn't finite."""
        self._optimizer.clip_grad = clip
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._wrapped.step()
        return float(self._optimizer._global_grad_norm)

    def save_state(self, folder: Path) -> None:
        """One file a rank: its part of the master weights and of Adam's moments."""
        zero_state.save(self._optimizer, self.network, self._settings, folder)

    def load_state(self, folder: Path) -> None:
        """Raises CheckpointMismatch, also if the number of ranks was another one."""
        zero_state.load(self._optimizer, self.network, self._settings, folder)

    def full_weights(self) -> dict[str, torch.Tensor] | None:
        """One weight at a time is whole on each rank."""
        return zero_state.gather(self.network)


def _import_deepspeed() -> Any:
    if importlib.util.find_spec("deepspeed") is None:
        raise BadParameter(
            "Parameter zero: the package deepspeed is not installed here. Set zero to 0, or run in "
            "the algorithms' image, which has it (by hand: pip install deepspeed)."
        )
    warnings.filterwarnings(
        "ignore", message=".*torch.distributed.*deprecated", category=FutureWarning
    )  # DeepSpeed's calls, each time one is made
    deepspeed: Any = importlib.import_module("deepspeed")
    # gloo does what this operator would; it is compiled on first use, and images have no compiler
    importlib.import_module("deepspeed.ops").__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def _join_alone(ranks: Ranks) -> None:
    """DeepSpeed wants a process group of a single process too, and looks for MPI without one."""
    if dist.is_initialized():
        return
    os.environ.setdefault("LOCAL_RANK", "0")
    stores: Any = dist  # its stores are public, but not to a type checker
    backend = "nccl" if ranks.device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=stores.HashStore(), rank=0, world_size=1)


def _adamw(network: Any, settings: ZeroSettings) -> torch.optim.AdamW:
    """Weight decay on matrices alone; stage 3 has flattened them, and keeps their shapes."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    matrices = [weight for weight in weights if len(getattr(weight, "ds_shape", weight.shape)) > 1]
    known = {id(weight) for weight in matrices}
    others = [weight for weight in weights if id(weight) not in known]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0, fused=True)
