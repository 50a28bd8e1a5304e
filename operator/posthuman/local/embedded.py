"""The environment that this machine plays where a person names none. Pure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from posthuman.api.environment import (
    ChainSpec,
    ComputeEnvironment,
    EnvironmentSpec,
    Hardware,
    Limits,
    Policy,
    SealKind,
    StoreSpec,
    WorkspaceSpec,
)
from posthuman.api.meta import Meta

WORK_NAMESPACE = "posthuman-work"
CONCURRENT_JOBS = 1  # they share this machine's cores; others stage meanwhile

# A manifest for big machines is to be tried here: nothing is limited, nothing is reserved.
PLAYED_HARDWARE = Hardware(
    gpus_per_node=8, max_nodes=8, cpu_per_node="1024", memory_per_node="16Ti"
)


def store_url(workdir: Path) -> str:
    """The embedded store, as a URL."""
    return (workdir.absolute() / "store").as_uri()


def embedded_environment(name: str, workdir: Path, chain: ChainSpec | None) -> ComputeEnvironment:
    """Whatever name the job asks for, played by this machine."""
    return ComputeEnvironment(
        metadata=Meta(name=name),
        spec=EnvironmentSpec(
            work_namespace=WORK_NAMESPACE,
            store=StoreSpec(url=store_url(workdir)),
            hardware=PLAYED_HARDWARE,
            limits=Limits(max_jobs=CONCURRENT_JOBS),
            workspace=WorkspaceSpec(access_mode="ReadWriteMany"),
            chain=chain,
            policy=Policy(allow_raw_code=True),  # it is this person's own, on their own machine
        ),
    )


def moved_here(
    environment: ComputeEnvironment, workdir: Path, chain: ChainSpec | None
) -> ComputeEnvironment:
    """An environment made for a cluster, with this machine's store and chain in place of its own.

    Limits, policy and the market's fee stay as its admin wrote them; the seal can't.
    """
    spec = environment.spec
    fee = spec.chain.market_fee if spec.chain else None
    here = msgspec.structs.replace(
        spec,
        store=StoreSpec(url=store_url(workdir)),
        chain=msgspec.structs.replace(chain, market_fee=fee) if chain else None,
        seal=SealKind.NETWORK_POLICY,
    )
    return msgspec.structs.replace(environment, spec=here)
