"""ModelAsset: what lasts. Namespaced, never owned by the job that made it."""

from __future__ import annotations

from enum import StrEnum

from posthuman.api.meta import Condition, Meta, NamedRef, Wire


class Source(Wire, frozen=True, kw_only=True):
    """The model's files: a prefix in the environment's store, and the digest of its manifest."""

    prefix: str
    manifest_digest: str


class AssetMetadata(Wire, frozen=True, kw_only=True):
    """What buyers read."""

    name: str
    description: str
    license: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()


class Reward(Wire, frozen=True, kw_only=True):
    """Datatokens minted once, at publication: whole tokens, a decimal."""

    to: str
    amount: str = "0"


class PricingKind(StrEnum):
    """How strangers come by datatokens."""

    PLAIN = "Plain"  # from the owner alone, who mints them
    FIXED_RATE = "FixedRate"
    FREE = "Free"  # from Ocean's dispenser


class Pricing(Wire, frozen=True, kw_only=True):
    """Fixed at publication. `rate`: what one datatoken costs, in whole ones of `token`."""

    kind: PricingKind = PricingKind.PLAIN
    token: str = ""
    rate: str = ""


class ServiceKind(StrEnum):
    """What may be bought of a model. The DDO lists them in this order, whichever an asset has."""

    TRAIN = "train"
    INFER = "infer"
    EVALUATE = "evaluate"


class ServiceSpec(Wire, frozen=True, kw_only=True):
    """One compute service. Trust names a program ("sha256:…" of image digest, entrypoint and args),
    an algorithm's DID, or a publisher's address; the environment's built-ins are trusted always,
    unless `builtins` is false."""

    kind: ServiceKind
    timeout: str = ""  # how long an order is good for; the environment's maxDuration if empty
    builtins: bool = True
    trusted_algorithms: tuple[str, ...] = ()
    trusted_publishers: tuple[str, ...] = ()


class AssetSpec(Wire, frozen=True, kw_only=True):
    """`publication_id`, `parents`, `reward` and `job_uid` are the operator's alone to set."""

    environment_ref: NamedRef
    owner: str
    source: Source
    metadata: AssetMetadata
    publication_id: str = ""  # derived by the operator where empty
    parents: tuple[str, ...] = ()  # DIDs
    reward: Reward | None = None
    pricing: Pricing = Pricing()
    services: tuple[ServiceSpec, ...] = ()  # empty: all kinds, for the built-ins
    job_uid: str = ""


class TransactionRecord(Wire, frozen=True, kw_only=True):
    """The outbox. `raw` is stored before anything is sent, and dropped once confirmed."""

    step: str  # create, metadata, mint, transfer
    nonce: int
    hash: str
    raw: str = ""
    block: int = 0  # 0: not confirmed
    replaced: tuple[str, ...] = ()  # hashes of the same step's other bytes: any may be mined
    gas_used: int = 0
    cost_wei: str = "0"


class AssetStatus(Wire, frozen=True, kw_only=True):
    """Conditions Accepted, Published and Ready."""

    observed_generation: int = 0
    publication_id: str = ""
    epoch: str = ""  # of the operator process that advances it
    did: str = ""
    nft: str = ""
    datatoken: str = ""
    chain_id: int = 0
    transactions: tuple[TransactionRecord, ...] = ()
    gas_used: int = 0  # by all of them, reverted ones too
    cost_wei: str = "0"
    conditions: tuple[Condition, ...] = ()
    published_at: str = ""


class ModelAsset(Wire, frozen=True, kw_only=True):
    """An asset, typed."""

    metadata: Meta
    spec: AssetSpec
    status: AssetStatus = AssetStatus()
