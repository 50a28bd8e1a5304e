"""What one pass sees of a job's world, and what it decides; both plain facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from jobkit.manifest import Manifest, ModelFacts
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, JobStatus
from posthuman.api.meta import Key
from posthuman.assets.trust import Custody
from posthuman.environments.catalogue import Catalogue
from posthuman.environments.purchase import Purchase
from posthuman.environments.verdict import Waiting
from posthuman.jobs.steps import DEFAULT_MASTER_PORT, Anchor, Role, Step, StepState
from posthuman.ports import OrderClaim


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation fixes for all its jobs. Times in seconds."""

    catalogue: Catalogue
    algorithms_path: str = "/opt/posthuman/algorithms"
    file_root: str = ""  # laptop: `file:` is allowed below it
    progress_interval_seconds: float = 10.0
    image_pull_grace_seconds: float = 60.0
    stage_tries: int = 3
    master_port: int = DEFAULT_MASTER_PORT


class Issued(msgspec.Struct, frozen=True):
    """A receipt that is signed and not known to be in the store."""

    key: str
    content: bytes
    signer: str


class Unsigned(msgspec.Struct, frozen=True):
    """Why a receipt that is due can't be signed now."""

    reason: str
    message: str


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """The world of one job. `missing`: open attempts whose step the world itself says is gone."""

    job: ComputeJob
    settings: Settings
    environment: ComputeEnvironment | None = None
    environment_names: Sequence[str] = ()
    input_assets: Mapping[str, ModelAsset | None] = {}
    input_models: Mapping[str, ModelFacts] = {}  # of published ones, until the job is accepted
    purchases: Mapping[str, Purchase | Waiting] = {}  # until the job is accepted
    claims: Sequence[OrderClaim] = ()  # of a job at its end: those that it may have taken
    custody: Custody = Custody()  # of the published ones, as long as trust is asked for
    ddos: Mapping[str, Mapping[str, Any]] = {}  # of what is bought elsewhere, until it is staged
    siblings: Sequence[ComputeJob] = ()
    work_namespace: str = ""  # as recorded, else the environment's
    anchor: bool = False
    steps: Sequence[StepState] = ()
    missing: frozenset[str] = frozenset()
    manifest: Manifest | None = None  # of the finished export
    own_asset: ModelAsset | None = None
    results_kept_by: Sequence[Key] = ()  # of a job at its end: assets that its files belong to
    receipt: Issued | Unsigned | None = None  # None: not due

    def of_role(self, role: Role) -> list[StepState]:
        """Steps of a role, by attempt."""
        found = [step for step in self.steps if step.role == role]
        return sorted(found, key=lambda step: step.attempt)


class AddFinalizer(msgspec.Struct, frozen=True):
    """Before anything is made in the work namespace."""


class DropFinalizer(msgspec.Struct, frozen=True):
    """Once nothing is left there."""


class SaveClaim(msgspec.Struct, frozen=True):
    """Take an order, or give it up; who comes second is refused, and looks again."""

    claim: OrderClaim


class CreateAnchor(msgspec.Struct, frozen=True):
    """The owner of all that follows."""

    anchor: Anchor


class DeleteAnchor(msgspec.Struct, frozen=True):
    """And with it everything the job has in the work namespace."""

    namespace: str
    name: str


class CreateStep(msgspec.Struct, frozen=True):
    """Stage, run or export."""

    anchor: Anchor
    step: Step


class DeleteStep(msgspec.Struct, frozen=True):
    """End a step's pods, after a grace."""

    namespace: str
    name: str
    grace_seconds: float


class DropPrivate(msgspec.Struct, frozen=True):
    """What a stage step alone was given, once it has ended."""

    anchor: Anchor
    step_name: str
    environment: ComputeEnvironment


class CreateAsset(msgspec.Struct, frozen=True):
    """What the job publishes."""

    asset: ModelAsset


class DeleteAsset(msgspec.Struct, frozen=True):
    """A publication that its owner abandons."""

    key: Key


class PutReceipt(msgspec.Struct, frozen=True):
    """receipt.json, beside the manifest; the same bytes each time."""

    environment: ComputeEnvironment
    key: str
    content: bytes


class DeleteResults(msgspec.Struct, frozen=True):
    """Every object below the prefix, the manifest too."""

    environment: ComputeEnvironment
    prefix: str


class DeleteJob(msgspec.Struct, frozen=True):
    """Its time to live is over."""


Action = (
    AddFinalizer
    | DropFinalizer
    | SaveClaim
    | CreateAnchor
    | DeleteAnchor
    | CreateStep
    | DeleteStep
    | DropPrivate
    | CreateAsset
    | DeleteAsset
    | PutReceipt
    | DeleteResults
    | DeleteJob
)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Actions in order, then the status; look again after so many seconds, if given."""

    status: JobStatus
    actions: tuple[Action, ...] = ()
    requeue_after_seconds: float | None = None
