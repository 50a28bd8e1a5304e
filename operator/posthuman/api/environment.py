"""ComputeEnvironment: an admin's offer of a place where jobs run. Cluster-scoped."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from posthuman.api.meta import Condition, Meta, SecretKeyRef, Wire


class SealKind(StrEnum):
    """How a worker's network is closed."""

    NETWORK_POLICY = "NetworkPolicy"
    IN_POD = "InPod"
    BOTH = "Both"


class Hardware(Wire, frozen=True, kw_only=True):
    """What one node offers a job, and how many nodes there are."""

    gpu_type: str = "NVIDIA-A100-SXM4-80GB"
    gpu_resource: str = "nvidia.com/gpu"
    gpus_per_node: int = 0
    max_nodes: int = 1
    cpu_per_node: str = "1"
    memory_per_node: str = "4Gi"
    shared_memory: str = "1Gi"
    gpu_memory: str = ""  # of one GPU; read from gpuType's name where empty


class Scheduling(Wire, frozen=True, kw_only=True):
    """Where worker (and stage) pods may land."""

    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()
    priority_class_name: str = ""
    runtime_class_name: str = ""


class Limits(Wire, frozen=True, kw_only=True):
    """What one job, and all jobs together, may take. Durations like 90m, 24h, 2h30m."""

    max_duration: str = "24h"
    max_queue_time: str = "24h"
    max_jobs: int = 100
    max_staged: int = 20
    max_jobs_per_owner: int = 20
    max_result_bytes: str = "1Gi"
    checkpoint_grace: str = "60s"
    result_retention: str = ""  # after a job's end its results go; empty: they stay


class WorkspaceSpec(Wire, frozen=True, kw_only=True):
    """The volume that a job's steps share."""

    storage_class_name: str = ""
    size: str = "20Gi"
    access_mode: str = "ReadWriteOnce"


class StoreSpec(Wire, frozen=True, kw_only=True):
    """Where results go. The Secret (work namespace) has keys accessKeyId and secretAccessKey."""

    url: str
    endpoint: str = ""
    region: str = ""
    credentials_secret: NamedSecret | None = None


class NamedSecret(Wire, frozen=True, kw_only=True):
    """A Secret of the work namespace."""

    name: str


class ChainContracts(Wire, frozen=True, kw_only=True):
    """Ocean's contracts, for chains that the packaged address book doesn't know."""

    erc721_factory: str
    ocean_token: str = ""
    fixed_rate_exchange: str = ""
    dispenser: str = ""


class MarketFeeSpec(Wire, frozen=True, kw_only=True):
    """The market owner's share of every order: `amount` (a decimal) of `token` to `address`."""

    address: str
    token: str
    amount: str = "0"


class RemoteSigner(Wire, frozen=True, kw_only=True):
    """A signer that keeps the key itself: Web3Signer, or a node with `eth_signTransaction`."""

    url_secret: SecretKeyRef
    address: str


class ChainSpec(Wire, frozen=True, kw_only=True):
    """The chain that publications go to. Secrets are in the work namespace."""

    chain_id: int
    rpc_url_secret: SecretKeyRef
    signer_secret: SecretKeyRef | None = None  # a key, or a keystore file; else `remote_signer`
    signer_password_secret: SecretKeyRef | None = None  # opens a keystore file
    remote_signer: RemoteSigner | None = None
    consumer_key_secret: SecretKeyRef | None = None  # downloads bought files from providers
    contracts: ChainContracts | None = None
    confirmations: int = 1
    max_fee_gwei: int = 500  # per gas
    metadata_url: str = ""
    provider_url: str = ""
    market_fee: MarketFeeSpec | None = None


class Tenant(Wire, frozen=True, kw_only=True):
    """For which addresses a namespace may act; no owners listed: for any."""

    namespace: str
    owners: tuple[str, ...] = ()


class Policy(Wire, frozen=True, kw_only=True):
    """Who may run what on whose data."""

    tenants: tuple[Tenant, ...] = ()  # empty: every namespace, for any owner
    trusted_algorithms: tuple[str, ...] = ()  # programs by "sha256:…", or DIDs
    allowed_images: tuple[str, ...] = ()  # prefixes of image references; empty: none
    allowed_uri_schemes: tuple[str, ...] = ("https",)
    allowed_private_cidrs: tuple[str, ...] = msgspec.field(default=(), name="allowedPrivateCIDRs")
    allow_pickles: bool = False
    allow_remote_code: bool = False
    allow_raw_code: bool = False
    allowed_providers: tuple[str, ...] = ()  # addresses that may sign at the gateway
    verify_orders: bool = False
    open_assets: tuple[str, ...] = ()  # DIDs that need no order


class EnvironmentPricing(Wire, frozen=True, kw_only=True):
    """What Ocean's provider asks for compute here: whole tokens a minute, a decimal."""

    price_min: str = "0"


class EnvironmentSpec(Wire, frozen=True, kw_only=True):
    """`workNamespace`, `chain`, `seal` mean nothing on a laptop, where steps are processes."""

    work_namespace: str
    store: StoreSpec
    hardware: Hardware = Hardware()
    scheduling: Scheduling = Scheduling()
    limits: Limits = Limits()
    workspace: WorkspaceSpec = WorkspaceSpec()
    chain: ChainSpec | None = None
    seal: SealKind = SealKind.NETWORK_POLICY
    policy: Policy = Policy()
    pricing: EnvironmentPricing = EnvironmentPricing()
    description: str = ""


class GpuUse(Wire, frozen=True, kw_only=True):
    """GPUs of the environment."""

    total: int = 0
    used: int = 0


class EnvironmentStatus(Wire, frozen=True, kw_only=True):
    """Conditions Ready, WorkNamespacePrepared, StoreReachable, ChainReachable, SignerFunded,
    SealEnforced; and what is in use."""

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    gpus: GpuUse = GpuUse()
    running_jobs: int = 0
    queued_jobs: int = 0
    signer: str = ""
    consumer_address: str = ""  # of chain.consumerKeySecret's key; empty: there is none


class ComputeEnvironment(Wire, frozen=True, kw_only=True):
    """An environment, typed."""

    metadata: Meta
    spec: EnvironmentSpec
    status: EnvironmentStatus = EnvironmentStatus()
