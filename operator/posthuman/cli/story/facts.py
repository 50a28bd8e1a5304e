"""What came of the story: one row a generation, from objects, chain and store. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.job import ComputeJob
from posthuman.cli.story.cast import GENERATIONS, name_of
from posthuman.errors import UserError

WEI_PER_TOKEN = 10**18


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """One published model. Loss: nats a token on the held-out samples; tokens: whole datatokens."""

    asset: str
    did: str
    owner: str
    parents: tuple[str, ...]  # asset names
    loss: float
    minted: float
    gpu_seconds: float


def generations(
    assets: Sequence[ModelAsset],
    jobs: Sequence[ComputeJob],
    losses: Mapping[str, float],
    minted_wei: Mapping[str, int],
) -> list[Generation]:
    """In order; `losses` by namespace, `minted_wei` by datatoken."""
    names = {asset.status.did: str(asset.metadata.key) for asset in assets}
    seconds = {job.metadata.key: job.status.gpu_seconds for job in jobs}
    return [
        Generation(
            asset=str(asset.metadata.key),
            did=asset.status.did,
            owner=name_of(asset.spec.owner),
            parents=tuple(names.get(did, did) for did in asset.spec.parents),
            loss=losses[asset.metadata.namespace],
            minted=minted_wei.get(asset.status.datatoken, 0) / WEI_PER_TOKEN,
            gpu_seconds=seconds.get(asset.metadata.key, 0.0),
        )
        for key in GENERATIONS
        for asset in assets
        if asset.metadata.key == key
    ]


def losses_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Elena's report.json: input name → loss."""
    metrics: Mapping[str, float] = report["metrics"]
    return {name.removesuffix(".loss"): value for name, value in metrics.items() if ".loss" in name}


def check_that_loss_falls(rows: Sequence[Generation]) -> None:
    """Raises UserError if a generation is no better than the one before: the training is wrong."""
    for older, newer in pairwise(rows):
        if not newer.loss < older.loss:
            raise UserError(
                f"the loss does not fall: {older.asset} has {older.loss:.4f}, {newer.asset}, "
                f"trained from it, {newer.loss:.4f}; the training is wrong (or STEPS too few)"
            )
