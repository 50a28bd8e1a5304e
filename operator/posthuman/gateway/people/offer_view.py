"""Environments and assets as this API shows them: what can be used, and on what terms. How an
environment is built (namespaces, stores, policy, Secrets) is its admin's alone."""

from __future__ import annotations

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition, is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.gateway.people.job_view import Record


class HardwareView(Record, frozen=True, kw_only=True):
    """Of one node, and how many nodes a job may have. Quantities as Kubernetes writes them."""

    gpu_type: str
    gpus_per_node: int
    max_nodes: int
    cpu_per_node: str
    memory_per_node: str


class LimitsView(Record, frozen=True, kw_only=True):
    """Of one job and one owner. Durations like 90m, 24h, 2h30m."""

    max_duration: str
    max_queue_time: str
    max_jobs_per_owner: int
    max_result_bytes: str
    result_retention: str


class EnvironmentView(Record, frozen=True, kw_only=True):
    """A place where jobs run. `priceMin`: whole tokens a minute, asked by Ocean's provider."""

    name: str
    description: str
    ready: bool
    reason: str
    message: str
    hardware: HardwareView
    limits: LimitsView
    gpus_total: int
    gpus_used: int
    running_jobs: int
    queued_jobs: int
    chain_id: int | None
    price_min: str


class EnvironmentPage(Record, frozen=True, kw_only=True):
    """Environments by name. `continue` is empty on the last page."""

    items: list[EnvironmentView]
    continue_: str = msgspec.field(name="continue")


class AssetView(Record, frozen=True, kw_only=True):
    """A model. `id` and `did` name it in a job's inputs; `did` is empty until it is on chain."""

    id: str
    name: str
    namespace: str
    did: str
    owner: str
    environment: str
    title: str
    description: str
    license: str
    tags: list[str]
    parents: list[str]
    ready: bool
    reason: str
    message: str
    chain_id: int
    nft: str
    datatoken: str
    published_at: str


class AssetPage(Record, frozen=True, kw_only=True):
    """Assets, newest first. `continue` is empty on the last page."""

    items: list[AssetView]
    continue_: str = msgspec.field(name="continue")


def asset_id(asset: ModelAsset) -> str:
    """How this API names an asset; its DID does too."""
    return f"{asset.metadata.namespace}.{asset.metadata.name}"


def environment_view(environment: ComputeEnvironment) -> EnvironmentView:
    """What buyers read."""
    spec, status = environment.spec, environment.status
    ready = find_condition(status.conditions, "Ready")
    hardware, limits = spec.hardware, spec.limits
    return EnvironmentView(
        name=environment.metadata.name,
        description=spec.description,
        ready=is_true(status.conditions, "Ready"),
        reason=ready.reason if ready else "NotSeenYet",
        message=ready.message if ready else "the operator has not looked at it yet",
        hardware=HardwareView(
            gpu_type=hardware.gpu_type if hardware.gpus_per_node else "",
            gpus_per_node=hardware.gpus_per_node,
            max_nodes=hardware.max_nodes,
            cpu_per_node=hardware.cpu_per_node,
            memory_per_node=hardware.memory_per_node,
        ),
        limits=LimitsView(
            max_duration=limits.max_duration,
            max_queue_time=limits.max_queue_time,
            max_jobs_per_owner=limits.max_jobs_per_owner,
            max_result_bytes=limits.max_result_bytes,
            result_retention=limits.result_retention,
        ),
        gpus_total=status.gpus.total,
        gpus_used=status.gpus.used,
        running_jobs=status.running_jobs,
        queued_jobs=status.queued_jobs,
        chain_id=spec.chain.chain_id if spec.chain else None,
        price_min=spec.pricing.price_min,
    )


def asset_view(asset: ModelAsset) -> AssetView:
    """What buyers read."""
    spec, status = asset.spec, asset.status
    ready = find_condition(status.conditions, "Ready")
    return AssetView(
        id=asset_id(asset),
        name=asset.metadata.name,
        namespace=asset.metadata.namespace,
        did=status.did,
        owner=spec.owner,
        environment=spec.environment_ref.name,
        title=spec.metadata.name,
        description=spec.metadata.description,
        license=spec.metadata.license,
        tags=list(spec.metadata.tags),
        parents=list(spec.parents),
        ready=is_true(status.conditions, "Ready"),
        reason=ready.reason if ready else "NotSeenYet",
        message=ready.message if ready else "the operator has not looked at it yet",
        chain_id=status.chain_id,
        nft=status.nft,
        datatoken=status.datatoken,
        published_at=status.published_at,
    )
