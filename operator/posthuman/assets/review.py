"""May this asset be published as it is? Pure; each answer is a sentence that says what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

from jobkit.manifest import CUSTODY_PREFIX, MANIFEST_NAME, Manifest
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.quantities import parse_tokens_wei
from posthuman.assets.observed import Problem
from posthuman.assets.offer import review_offer
from posthuman.environments.tenants import review_tenant
from posthuman.errors import UserError

NAME_LETTERS = 4  # Ocean's DDO schema asks for as many
DESCRIPTION_LETTERS = 10
_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")

Rule = Callable[[ModelAsset, ComputeEnvironment], Problem | None]


def review(asset: ModelAsset, environment: ComputeEnvironment) -> Problem | None:
    """What the manifest alone tells, before the store or the chain is asked."""
    found = (rule(asset, environment) for rule in RULES)
    return next((problem for problem in found if problem), None)


def review_manifest(asset: ModelAsset, manifest: Manifest, digest: str) -> Problem | None:
    """What the store's manifest tells."""
    source = asset.spec.source
    if digest != source.manifest_digest:
        return Problem(
            "ManifestMismatch",
            f"{source.prefix}/{MANIFEST_NAME} in the store has digest {digest}, and "
            f"spec.source.manifestDigest says {source.manifest_digest}: the files are not those "
            "that were to be published; name the right digest in a new asset",
        )
    if manifest.outcome != "Succeeded":
        return Problem(
            "SourceFailed",
            f"{source.prefix} holds the outputs of a job that ended as {manifest.outcome}; "
            "publish a job that succeeded",
        )
    if not any(file.path.startswith(CUSTODY_PREFIX) for file in manifest.files):
        return Problem(
            "NoModel",
            f"{source.prefix} holds no file below {CUSTODY_PREFIX}; a model's files must lie there",
        )
    if manifest.model is None:
        return Problem(
            "NoModel",
            f"{source.prefix}/{CUSTODY_PREFIX} holds no model that can be loaded; it needs a "
            "config.json and safetensors",
        )
    return None


def _chain(asset: ModelAsset, environment: ComputeEnvironment) -> Problem | None:
    if environment.spec.chain:
        return None
    return Problem(
        "NoChain",
        f'environment "{environment.metadata.name}" has no chain; choose one with spec.chain',
    )


def _addresses(asset: ModelAsset, environment: ComputeEnvironment) -> Problem | None:
    reward = asset.spec.reward
    for field, address in (
        ("spec.owner", asset.spec.owner),
        ("spec.reward.to", reward.to if reward else asset.spec.owner),
    ):
        if not _ADDRESS.fullmatch(address):
            return Problem(
                "InvalidAddress", f'{field} "{address}" is no address: 0x and 40 hex digits'
            )
    return None


def _reward(asset: ModelAsset, environment: ComputeEnvironment) -> Problem | None:
    try:
        reward_wei(asset)
    except UserError as error:
        return Problem("InvalidReward", f"spec.reward.amount: {error}")
    return None


def _offer(asset: ModelAsset, environment: ComputeEnvironment) -> Problem | None:
    chain, spec = environment.spec.chain, asset.spec
    return review_offer(spec.pricing, spec.services, chain, "spec") if chain else None


def _metadata(asset: ModelAsset, environment: ComputeEnvironment) -> Problem | None:
    metadata = asset.spec.metadata
    for field, text, letters in (
        ("name", metadata.name, NAME_LETTERS),
        ("description", metadata.description, DESCRIPTION_LETTERS),
    ):
        if len(text) < letters:
            return Problem(
                "MetadataTooShort",
                f'spec.metadata.{field} "{text}" needs at least {letters} characters on Ocean\'s '
                "markets; edit it",
            )
    return None


def _tenant(asset: ModelAsset, environment: ComputeEnvironment) -> Problem | None:
    if asset.spec.job_uid:  # a job's tenant was reviewed with the job
        return None
    refusal = review_tenant(environment, asset.metadata.namespace, asset.spec.owner)
    return Problem(refusal.reason, refusal.message) if refusal else None


def _source(asset: ModelAsset, environment: ComputeEnvironment) -> Problem | None:
    """A person's asset may point only at that person's uploads, a job's only at its results."""
    prefix, uid = asset.spec.source.prefix, asset.spec.job_uid
    parts = prefix.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return Problem("InvalidSource", f'spec.source.prefix "{prefix}" is no path of a folder')
    if uid:
        return None if parts == ["jobs", uid] else _not_of_job(prefix, uid)
    uploads = ["uploads", asset.spec.owner.lower()]
    return None if parts[:2] == uploads and len(parts) > 2 else _not_owned(prefix, uploads)


def _not_of_job(prefix: str, uid: str) -> Problem:
    return Problem(
        "SourceNotOfJob", f'spec.source.prefix "{prefix}" is not jobs/{uid}, the job\'s results'
    )


def _not_owned(prefix: str, uploads: list[str]) -> Problem:
    return Problem(
        "UploadNotOwned",
        f'spec.source.prefix "{prefix}" is not below {"/".join(uploads)}/; bring the files there '
        "with `posthuman upload` and publish those",
    )


def reward_wei(asset: ModelAsset) -> int:
    """What is minted at publication. Raises UserError."""
    return parse_tokens_wei(asset.spec.reward.amount) if asset.spec.reward else 0


RULES: tuple[Rule, ...] = (
    _chain,
    _addresses,
    _reward,
    _offer,
    _metadata,
    _tenant,
    _source,
)
