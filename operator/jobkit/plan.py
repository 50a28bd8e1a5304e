"""The plans that a step's program is given, as JSON in the file that `JOBKIT_PLAN` names.

The operator writes them (posthuman.jobs.steps), jobkit reads them; this module is the one contract
between the two. A plan never holds a credential: those come as environment variables or mounted
files, to the stage and the export step alone.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

PLAN_ENV = "JOBKIT_PLAN"
TERMINATION_LOG_ENV = "JOBKIT_TERMINATION_LOG"  # default: Kubernetes' /dev/termination-log


class Plan(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What every plan shares: names in camel case on the wire, unknown fields refused."""


class Store(Plan, frozen=True, kw_only=True):
    """The environment's result store. Credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY."""

    url: str  # s3://bucket/prefix or file:///folder
    endpoint: str = ""  # of an S3 server that is not AWS, such as http://10.0.0.5:7070
    region: str = ""


class UriPolicy(Plan, frozen=True, kw_only=True):
    """Where a buyer's URI may point; checked after resolution and again on each redirect."""

    allowed_schemes: tuple[str, ...] = ("https",)
    allowed_private_cidrs: tuple[str, ...] = ()
    denied_hosts: tuple[str, ...] = ()  # host or host:port of the store; never overridden
    file_root: str = ""  # `file:` is allowed below this folder alone; empty (a cluster): never


class Bought(Plan, frozen=True, kw_only=True):
    """The files of one service of an asset, brought through Ocean's provider. How the step proves
    itself there lies in `<private_dir>/provider.json` (jobkit/provider_access.py)."""

    url: str  # the provider's, as the environment's admin wrote it
    did: str
    service_id: str
    tx_id: str  # the order that pays for it
    user_data_file: str = ""  # of private_dir


class StageInput(Plan, frozen=True, kw_only=True):
    """One input. Exactly one of `asset`, `upload`, `uri`, `uri_file` and `bought` is set."""

    name: str
    kind: Literal["model", "dataset", "file"]
    asset: str = ""  # store key prefix that holds manifest.json: "jobs/<uid>", "uploads/<owner>/x"
    manifest_digest: str = ""  # "sha256:…" of manifest.json; required with `asset`
    upload: str = ""  # store key below uploads/<owner>/: one file, or a folder with manifest.json
    uri: str = ""
    uri_file: str = ""  # of private_dir: a URI that nobody may see, a signed one say
    bought: Bought | None = None
    sha256: str = ""  # 64 hex digits; of the one file that a uri, an upload or a service brings
    folder: str = ""  # below inputs_dir; the input's name if empty
    numbered: bool = False  # bought files are called 0, 1, …, as Ocean has it; else by their names


class StageAlgorithm(Plan, frozen=True, kw_only=True):
    """Code that comes as a file. Exactly one of `code_file`, `uri` and `bought` is set."""

    did: str = ""
    code_file: str = ""  # of private_dir
    uri: str = ""
    bought: Bought | None = None
    files_checksum: str = ""  # what it must be: sha256 of each of its files, one after the other


class Preflight(Plan, frozen=True, kw_only=True):
    """What the run step will have, for its models to be held against."""

    algorithm: str  # a built-in's name
    nodes: int = 1
    gpus_per_node: int = 0
    processes_per_node: int = 1
    gpu_memory_bytes: int = 0  # of one GPU; 0: unknown
    node_memory_bytes: int = 0
    allow_remote_code: bool = False


class StagePlan(Plan, frozen=True, kw_only=True):
    """Bring the inputs to the workspace: `<inputs>/<name>/…`, then the staged.json beside them.

    What nobody else may see (signed URLs, code, proofs for a provider) lies as files in
    `private_dir`, which this step alone is given; the plan names those files.
    """

    store: Store
    inputs: tuple[StageInput, ...]
    uri_policy: UriPolicy
    algorithm: StageAlgorithm | None = None  # None: it is in the image
    ddos: dict[str, Any] = {}  # DID → DDO, written to <ddos_dir>/<did without did:op:>
    private_dir: str = "/etc/posthuman-private"
    inputs_dir: str = "/workspace/inputs"
    ddos_dir: str = "/workspace/ddos"
    transformations_dir: str = "/workspace/transformations"
    staged_file: str = "/workspace/staged.json"
    parameters: dict[str, Any] = {}  # written to <inputs_dir>/algoCustomData.json
    allow_pickles: bool = False  # of the inputs' models
    preflight: Preflight | None = None  # None: nothing is known of what the algorithm does


class LaunchPlan(Plan, frozen=True, kw_only=True):
    """Start the algorithm on this node and turn its end into an exit code and a report."""

    command: tuple[str, ...]  # a Python algorithm: ("python", "/opt/posthuman/algorithms/train")
    nodes: int = 1
    processes_per_node: int = 1  # more than one process in all: torchrun, static rendezvous
    master_address: str = ""  # rank 0's ClusterIP name or address; rank 0 uses its own pod IP
    master_port: int = 29500
    log_file: str = "/data/logs/algorithm.log"
    grace_seconds: float = 25.0  # between SIGTERM and SIGKILL of the algorithm


class SealPlan(Plan, frozen=True, kw_only=True):
    """Close the pod's network but for its peers, before the algorithm starts."""

    nodes: int = 1
    peers_host: str = ""  # headless Service that names every peer; empty for one node
    master_address: str = ""
    timeout_seconds: float = 300.0


class AlgorithmFacts(Plan, frozen=True, kw_only=True):
    """Which code ran."""

    name: str
    version: str = ""
    digest: str = ""  # sha256 of the folder (built-in), or of the image
    did: str = ""  # of an algorithm that is an asset
    image: str = ""  # that ran code which came as a file


class ExportPlan(Plan, frozen=True, kw_only=True):
    """Upload logs and outputs to `<store>/<destination>/`, manifest.json last."""

    store: Store
    destination: str  # "jobs/<uid>"
    outcome: Literal["Succeeded", "Failed", "Stopped"]
    job: dict[str, str]  # namespace, name, uid, owner, environment
    algorithm: AlgorithmFacts
    parameters: dict[str, Any] = {}
    input_dids: dict[str, str] = {}  # input name → DID, for inputs that are published assets
    gpu_seconds: float = 0.0
    max_result_bytes: int = 0  # of class `result`; 0: no limit
    outputs_dir: str = "/workspace/outputs"
    logs_dir: str = "/workspace/logs"
    staged_file: str = "/workspace/staged.json"
