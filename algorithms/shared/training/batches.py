"""Batches on their way to the device."""

from __future__ import annotations

import torch

from algorithms.shared.tasks.base import Batch


def on_device(batch: Batch, device: torch.device) -> Batch:
    """A batch of tensors, moved."""
    return {name: values.to(device, non_blocking=True) for name, values in batch.items()}


def token_count(batch: Batch) -> int:
    """Tokens that go in, without padding."""
    mask = batch.get("attention_mask")
    return int(batch["input_ids"].numel() if mask is None else mask.sum())
