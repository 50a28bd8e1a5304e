"""The processes of one run: alone, or several under torchrun (gloo on CPUs, NCCL on GPUs)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from algorithms.shared.cpus import available_cpus

T = TypeVar("T")
PATIENCE = timedelta(minutes=30)  # with a peer that writes a large model, or reads much data


@dataclass(frozen=True)
class Ranks:
    """This process among its peers."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """The one rank that writes files and progress."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This rank's part: every `world_size`-th, so that the parts differ by one at most."""
        return items[self.rank :: self.world_size]

    def wait(self) -> None:
        """Until every rank is here."""
        if self.world_size > 1:
            dist.barrier()

    def sum(self, values: Sequence[float]) -> list[float]:
        """Element by element over all ranks, in float64."""
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        if self.world_size > 1:
            dist.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def gather(self, items: Sequence[T]) -> list[T]:
        """Every rank's items, on every rank: the inverse of `share`, in the original order."""
        parts: list[list[T]] = [list(items)]
        if self.world_size > 1:
            parts = [[] for _ in range(self.world_size)]
            dist.all_gather_object(parts, list(items))
        longest = max(len(part) for part in parts)
        return [part[index] for index in range(longest) for part in parts if index < len(part)]


@contextmanager
def joined_ranks(seed: int) -> Iterator[Ranks]:
    """Join the peers that torchrun's variables name, if any, and fix every random choice.

    After an error the group is left as it is: torchrun ends the peers, which may wait in it.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    device = _own_device()
    os.environ.setdefault("DS_ACCELERATOR", device.type)  # else DeepSpeed probes, and warns on CPUs
    if world_size > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    torch.manual_seed(seed)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        _limit_threads()
    yield Ranks(int(os.environ.get("RANK", "0")), world_size, device)
    if world_size > 1:
        dist.barrier()
        dist.destroy_process_group()


def _limit_threads() -> None:
    """A choice of the person's, or of torchrun's, in OMP_NUM_THREADS stands."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), available_cpus()))


def _own_device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
