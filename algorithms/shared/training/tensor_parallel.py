"""Tensor parallelism behind the engine's contract: each matrix is cut over the ranks, which compute
every row together (Shoeybi et al., 2019, https://arxiv.org/abs/1909.08053).

transformers cuts the weights as it loads them, by the plan of the model's type, and makes DTensors
of them. The optimiser works on each rank's own pieces: there every element has one owner, but for
the small weights that no plan cuts, which every rank has and updates alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from algorithms.shared.failures import BadParameter, UnsupportedModel
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import Batch, ModelTask
from algorithms.shared.training.engine import Engine, EngineFactory
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.plain import adamw
from algorithms.shared.training.precision import arithmetic_dtype, precision
from algorithms.shared.training.rank_files import (
    fill,
    read_rank_file,
    refuse_strange,
    write_rank_file,
)

MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # as torch.optim.AdamW names them
_NOTHING = torch.empty(0)


class TensorParallelFactory(EngineFactory):
    """All ranks compute one model. Raises BadParameter if there are more or fewer of them."""

    def __init__(self, parameters: TrainingParameters, ranks: Ranks) -> None:
        self._parameters, self._ranks = parameters, ranks
        if parameters.tensor_parallel != ranks.world_size:
            raise BadParameter(
                f"Parameter tensorParallel: {parameters.tensor_parallel}, but the job has "
                f"{ranks.world_size} ranks, and all of them compute one model together. Set "
                f"tensorParallel to {ranks.world_size}, or to 1 with zero 3."
            )
        if parameters.zero not in ("auto", 0):
            raise BadParameter(
                f"Parameter zero: {parameters.zero} doesn't go with tensorParallel "
                f"{parameters.tensor_parallel}: both cut the weights. Set zero to 0 or auto."
            )

    def request(self, request: LoadRequest) -> LoadRequest:
        """transformers places the pieces; in the precision that is trained in."""
        parallel = self._parameters.tensor_parallel
        return replace(request, device=None, dtype=torch.float32, tensor_parallel=parallel)

    def engine(self, model: LoadedModel) -> Engine:
        """Raises UnsupportedModel for adapters, and if the plan cut nothing of the model."""
        if getattr(model.network, "peft_config", None):
            raise UnsupportedModel(
                "Adapters don't go with tensorParallel: the plan cuts the matrices that they are "
                "added to. Set tensorParallel to 1, and zero to 3 if one GPU is too small, or "
                "train without loraRank."
            )
        if not any(isinstance(weight, DTensor) for weight in model.network.parameters()):
            raise UnsupportedModel(
                f"The plan for models of type {model.network.config.model_type} cuts nothing of "
                "this one: set tensorParallel to 1, and zero to 3 if it is too large for one GPU."
            )
        # each rank would else wait for all when rank 0 alone saves; and it isn't the model's
        model.network.config.distributed_config = None
        return TensorParallelEngine(model, self._parameters, self._ranks)


@dataclass(frozen=True)
class _Piece:
    """A trained weight, and this rank's part of it as the optimiser sees it (the same memory)."""

    name: str
    weight: torch.nn.Parameter
    own: torch.nn.Parameter

    @property
    def is_cut(self) -> bool:
        """Whether each rank has another part."""
        return isinstance(self.weight, DTensor) and any(
            placement.is_shard() for placement in self.weight.placements
        )


class TensorParallelEngine(Engine):
    """Every rank sees every row."""

    kind = "tensor-parallel"
    portable = False
    data_ranks, data_rank = 1, 0

    def __init__(self, model: LoadedModel, parameters: TrainingParameters, ranks: Ranks) -> None:
        self.network = model.network
        self._ranks = ranks
        self._dtype = arithmetic_dtype(parameters.dtype, ranks.device)
        self._pieces = list(_pieces(model.network))
        self._optimizer = adamw([piece.own for piece in self._pieces], parameters.weight_decay)

    def backward(self, task: ModelTask, batch: Batch, scale: float, last: bool) -> torch.Tensor:
        """Each part's gradient on its own: transformers' hooks sum some of them over the ranks
        after each backward, and would sum what is there already once more."""
        with precision(self._ranks.device, self._dtype):
            nats = task.loss_sum(task.outputs(self.network, batch), batch)
        torch.autograd.backward(nats * scale)
        for piece in self._pieces:
            self._collect(piece)
        return nats.detach()

    def _collect(self, piece: _Piece) -> None:
        gradient, piece.weight.grad = piece.weight.grad, None
        if gradient is None:
            return
        if isinstance(gradient, DTensor):
            assert isinstance(piece.weight, DTensor)
            gradient = gradient.redistribute(placements=piece.weight.placements).to_local()
        piece.own.grad = gradient if piece.own.grad is None else piece.own.grad.add_(gradient)

    def step(self, learning_rate: float, clip: float) -> float:
        """The norm is that of the whole gradient, the same number on every rank."""
        norm = self._norm()
        if math.isfinite(norm):
            self._scale_gradients(min(1.0, clip / (norm + 1e-6)) if clip else 1.0)
            for group in self._optimizer.param_groups:
                group["lr"] = learning_rate
            self._optimizer.step()
        self._optimizer.zero_grad()
        return norm

    def _norm(self) -> float:
        """Squares of what is cut, summed over the ranks; of what is whole, once."""
        squares = torch.zeros(2, dtype=torch.float64, device=self._ranks.device)
        for piece in self._pieces:
            if piece.own.grad is not None:
                squares[int(piece.is_cut)] += piece.own.grad.double().square().sum()
        whole, cut = squares.unbind()
        dist.all_reduce(cut)
        # equal on all ranks but for rounding, and what they do next must be equal
        dist.broadcast(whole, src=0)
        return math.sqrt(float(whole + cut))

    def _scale_gradients(self, factor: float) -> None:
        for piece in self._pieces:
            if piece.own.grad is not None and factor < 1.0:
                piece.own.grad.mul_(factor)

    def save_state(self, folder: Path) -> None:
        """One file a rank: its pieces, their moments, the model's buffers."""
        write_rank_file(self._file(folder), self._tensors(), self._facts())

    def load_state(self, folder: Path) -> None:
        """Raises CheckpointMismatch, also if the number of ranks was another one."""
        saved = read_rank_file(self._file(folder), self._facts())
        refuse_strange(saved, [name for name, _ in self._tensors()])
        for piece in self._pieces:
            fill(piece.own, saved, piece.name)
            state = {moment: saved.get(f"{piece.name}:{moment}") for moment in MOMENTS}
            self._optimizer.state[piece.own] = {
                moment: value.to(piece.own.device)
                for moment, value in state.items()
                if value is not None
            }
        for name, buffer in self.network.named_buffers():
            fill(buffer, saved, f"buffer.{name}")

    def full_weights(self) -> dict[str, torch.Tensor] | None:
        """One weight at a time is whole on each rank."""
        whole: dict[int, torch.Tensor] = {}
        tensors = self.network.state_dict(keep_vars=True)
        for tensor in tensors.values():
            if id(tensor) not in whole:
                full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
                whole[id(tensor)] = full.detach().cpu() if self._ranks.is_first else _NOTHING
        if not self._ranks.is_first:
            return None
        return {name: whole[id(tensor)] for name, tensor in tensors.items()}

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        for piece in self._pieces:
            yield piece.name, piece.own
            for moment, value in self._optimizer.state.get(piece.own, {}).items():
                yield f"{piece.name}:{moment}", value
        for name, buffer in self.network.named_buffers():
            yield f"buffer.{name}", buffer.clone()  # some are views of others

    def _facts(self) -> dict[str, object]:
        return {"tensorParallel": self._ranks.world_size}

    def _file(self, folder: Path) -> Path:
        return folder / f"tensor-parallel-rank-{self._ranks.rank}.safetensors"


def _pieces(network: Any) -> Iterator[_Piece]:
    """Each trained weight once, however many names it has."""
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            with torch.no_grad():
                own = weight.to_local() if isinstance(weight, DTensor) else weight.detach()
            yield _Piece(name, weight, torch.nn.Parameter(own))
