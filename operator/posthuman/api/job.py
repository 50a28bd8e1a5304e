"""ComputeJob: what a buyer asks for. Namespaced; its spec is immutable but for three fields."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from posthuman.api.asset import Pricing, ServiceSpec
from posthuman.api.meta import Condition, Meta, NamedRef, SecretKeyRef, Wire


class Phase(StrEnum):
    """Where a job is; an output of the reconcile, never its trigger."""

    PENDING = "Pending"
    STAGING = "Staging"
    QUEUED = "Queued"
    RUNNING = "Running"
    EXPORTING = "Exporting"
    PUBLISHING = "Publishing"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"


FINISHED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED})


class BuiltinAlgorithm(Wire, frozen=True, kw_only=True):
    """An algorithm of the catalogue. `version`: the installed one if empty."""

    name: str
    version: str = ""


class ImageAlgorithm(Wire, frozen=True, kw_only=True):
    """A container of one's own; `reference` without a digest, which stands in `digest`."""

    reference: str
    digest: str = ""
    entrypoint: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


class OrderRef(Wire, frozen=True, kw_only=True):
    """An order on chain that pays for one asset. `service_id`: of the DDO; the service that the
    algorithm needs if empty."""

    tx_id: str
    service_id: str = ""


class Container(Wire, frozen=True, kw_only=True):
    """What runs code that is brought as a file: `$ALGO` in the entrypoint stands for its path."""

    image: str  # with its tag
    digest: str = ""
    entrypoint: str = ""  # one line, as Ocean's container sections have it
    pull_secret_ref: NamedRef | None = None  # of the job's namespace


class RawAlgorithm(Wire, frozen=True, kw_only=True):
    """Code of the buyer's own: one file, from a Secret of the job's namespace or fetched."""

    secret_ref: SecretKeyRef | None = None
    uri: str = ""


class Algorithm(Wire, frozen=True, kw_only=True):
    """Exactly one of `builtin`, `image`, `did`, `raw` is set; `did` and `raw` need a `container`
    (rules of the CRD)."""

    builtin: BuiltinAlgorithm | None = None
    image: ImageAlgorithm | None = None
    did: str = ""
    raw: RawAlgorithm | None = None
    container: Container | None = None
    order: OrderRef | None = None
    user_data_secret_ref: SecretKeyRef | None = None


class AssetRef(Wire, frozen=True, kw_only=True):
    """A ModelAsset of the same environment."""

    namespace: str
    name: str


class JobInput(Wire, frozen=True, kw_only=True):
    """One input; exactly one of `asset_ref`, `did`, `uri`, `uri_secret_ref`, `upload` is set (a
    rule of the CRD). A DID is an asset of this environment, or of a provider."""

    name: str
    kind: Literal["model", "dataset", "file"] = "dataset"
    asset_ref: AssetRef | None = None
    did: str = ""
    uri: str = ""
    uri_secret_ref: SecretKeyRef | None = None  # of the job's namespace; a signed URL, say
    upload: str = ""  # a key below uploads/<owner>/
    sha256: str = ""
    order: OrderRef | None = None
    user_data_secret_ref: SecretKeyRef | None = None


class JobOrder(Wire, frozen=True, kw_only=True):
    """The purchase that the job comes from, as Ocean's provider names it. `valid_until`: epoch
    seconds; 0: no end."""

    agreement_id: str
    chain_id: int = 0
    payer: str = ""
    valid_until: int = 0


class PublishSpec(Wire, frozen=True, kw_only=True):
    """What becomes of the model: a new asset of the owner's, and `reward` datatokens minted."""

    name: str
    description: str
    license: str = ""
    author: str = ""
    reward: str = "0"  # whole tokens, a decimal
    pricing: Pricing = Pricing()
    services: tuple[ServiceSpec, ...] = ()


class WorkerResources(Wire, frozen=True, kw_only=True):
    """Of one worker pod; the environment's per-node figures if empty."""

    cpu: str = ""
    memory: str = ""


class JobSpec(Wire, frozen=True, kw_only=True):
    """See the CRD for what each field means to a person."""

    environment_ref: NamedRef
    owner: str
    algorithm: Algorithm
    order: JobOrder | None = None
    inputs: tuple[JobInput, ...] = ()
    parameters: dict[str, Any] = {}
    nodes: int = 1
    gpus_per_node: int = 0
    processes_per_node: int = 0  # 0: one a GPU, or one
    resources: WorkerResources = WorkerResources()
    timeout: str = ""  # of running pods; the environment's maxDuration if empty
    retries: int = 0
    suspend: bool = False
    stop: bool = False
    ttl_seconds_after_finished: int | None = None
    publish: PublishSpec | None = None


class Progress(Wire, frozen=True, kw_only=True):
    """The algorithm's last progress line."""

    percent: float = 0.0
    step: int = 0
    total_steps: int = 0
    eta_seconds: float | None = None
    metrics: dict[str, float] = {}
    updated_at: str = ""


class Attempt(Wire, frozen=True, kw_only=True):
    """One run of the algorithm. `ended_at` is empty while it may still be alive."""

    number: int
    created_at: str = ""
    started_at: str = ""  # when every worker pod ran
    ended_at: str = ""
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    counts: bool = True  # against `retries`; a suspended or preempted attempt doesn't


class Results(Wire, frozen=True, kw_only=True):
    """Where the outputs lie; `manifest_digest` names them for good."""

    uri: str
    prefix: str  # the same, relative to the environment's store
    manifest_digest: str
    files: int = 0
    bytes: int = 0


class ReceiptRecord(Wire, frozen=True, kw_only=True):
    """The signed receipt.json beside the manifest."""

    digest: str  # sha256 of the file
    signer: str  # address of the environment's key


class InputRecord(Wire, frozen=True, kw_only=True):
    """What an input was when the job was accepted: the operator's own record, for the lineage."""

    name: str
    kind: str
    did: str = ""
    prefix: str = ""
    manifest_digest: str = ""


class OrderRecord(Wire, frozen=True, kw_only=True):
    """An order as it was found on chain when the job was accepted. `paid_seconds`: running time
    that it pays for and that no earlier job used; None: without a limit."""

    input: str  # name of the input that it pays for; "" for the algorithm
    tx_id: str  # of startOrder
    reuse_tx_id: str = ""  # of the reuseOrder that the job names instead, if it does
    datatoken: str
    service_index: int = 0
    paid_seconds: float | None = None


class PublishedAsset(Wire, frozen=True, kw_only=True):
    """The asset this job became."""

    name: str
    did: str = ""


class JobStatus(Wire, frozen=True, kw_only=True):
    """Conditions Accepted, Staged, Executed, Exported, Published, Signed, and Succeeded, which says
    at any time why the job isn't done (Unknown) or how it ended."""

    phase: Phase | None = None
    outcome: Literal["", "Succeeded", "Failed", "Stopped"] = ""
    observed_generation: int = 0
    work_namespace: str = ""
    inputs: tuple[InputRecord, ...] = ()
    orders: tuple[OrderRecord, ...] = ()
    conditions: tuple[Condition, ...] = ()
    progress: Progress | None = None
    attempts: tuple[Attempt, ...] = ()
    gpu_seconds: float = 0.0
    results: Results | None = None
    receipt: ReceiptRecord | None = None
    asset: PublishedAsset | None = None
    finished_at: str = ""


class ComputeJob(Wire, frozen=True, kw_only=True):
    """A job, typed."""

    metadata: Meta
    spec: JobSpec
    status: JobStatus = JobStatus()
