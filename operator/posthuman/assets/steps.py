"""Which transaction a publication needs next, after the chain was asked. Pure part of decide()."""

from __future__ import annotations

import msgspec

from posthuman.api.asset import AssetSpec, PricingKind, TransactionRecord
from posthuman.api.environment import ChainSpec
from posthuman.assets.ddo import ddo_of
from posthuman.assets.draft import Draft
from posthuman.assets.observed import (
    CREATE,
    METADATA,
    MINT,
    TRANSFER,
    DropFinalizer,
    Fill,
    Observed,
    Problem,
    Release,
    Sign,
    SignCreate,
    SignMetadata,
    SignMint,
    SignTransfer,
)
from posthuman.assets.review import review_manifest, reward_wei
from posthuman.assets.service_ddo import trusted_dids
from posthuman.chain import PLAIN, CreatedNFT, MarketFee, Publication, Sale


def wanted_steps(seen: Observed) -> list[str]:
    """In order. Minters and roles are wiped by the transfer, so it comes last."""
    steps = [CREATE, METADATA]
    if reward_wei(seen.asset):
        steps.append(MINT)
    if seen.asset.spec.owner.lower() != seen.signer.lower():
        steps.append(TRANSFER)
    return steps


def steps_done(seen: Observed) -> frozenset[str]:
    """By confirmed transactions of ours, or as the chain says."""
    done = {found.step for found in seen.asset.status.transactions if found.block}
    facts = seen.facts
    if facts and seen.asset.status.nft:
        reward, transferred = reward_wei(seen.asset), facts.owner.lower() != seen.signer.lower()
        extra = transferred and facts.minted_wei > reward  # the owner's own: the transfer came last
        done |= {METADATA} if facts.has_metadata else set()
        done |= {MINT} if facts.minted_wei == reward or extra else set()
        done |= {TRANSFER} if transferred else set()
    return frozenset(done)


def unused_nonces(seen: Observed) -> frozenset[int]:
    """Nonces that are reserved for a step without signed bytes, and not spent otherwise."""
    settled = seen.nonces.settled if seen.nonces else 0
    recorded = {found.step for found in seen.asset.status.transactions}
    held = (nonce for step, nonce in seen.held.items() if step not in recorded)
    return frozenset(nonce for nonce in held if nonce >= settled)


def give_up(seen: Observed, draft: Draft) -> None:
    """A nonce that waits for bytes which nobody can sign now would hold up everybody else's."""
    if seen.open_record is None and seen.nonces:
        pending = seen.nonces.pending
        lacking = frozenset(nonce for nonce in unused_nonces(seen) if nonce >= pending)
        if lacking:
            draft.do(Fill(lacking))


def needs_manifest(seen: Observed) -> bool:
    """The files are looked at before the NFT and its DDO speak of them."""
    return not {CREATE, METADATA} <= steps_done(seen)


def next_step(seen: Observed, chain: ChainSpec, draft: Draft) -> None:
    """Sign the first step that isn't done; none left: published."""
    done = steps_done(seen)
    left = [step for step in wanted_steps(seen) if step not in done]
    problem = _problem(seen, left)
    if not left:
        draft.published()
        draft.do(Release(frozenset(seen.held)), DropFinalizer())
    elif seen.held.keys() & done:
        draft.do(Release(frozenset(seen.held) & done))
        draft.look_again(0)
    elif problem and left[0] == CREATE:
        draft.refuse(problem)
        give_up(seen, draft)
    elif problem:
        draft.trouble(problem)
        give_up(seen, draft)
    elif left[0] == CREATE and seen.facts and seen.facts.creation:
        draft.record(adopted(seen.facts.creation))
        draft.wait("Publishing", f"found on chain as {seen.facts.creation.nft}")
        draft.look_again(0)
    else:
        draft.do(_signing(left[0], seen, chain, draft))
        draft.on_its_way(left[0])
        draft.look_again(0)


def adopted(creation: CreatedNFT) -> TransactionRecord:
    """A creation found on chain; without bytes, since it needs no sending."""
    return TransactionRecord(step=CREATE, nonce=creation.nonce, hash=creation.hash)


def _problem(seen: Observed, left: list[str]) -> Problem | None:
    if left and left[0] in (CREATE, METADATA):
        if seen.manifest is None:
            return Problem("ManifestMissing", f"no manifest at {seen.asset.spec.source.prefix}")
        found = review_manifest(seen.asset, seen.manifest, seen.manifest_digest)
        return found or _algorithm_unknown(seen) or _id_taken(seen)
    if left and left[0] == MINT and seen.facts and seen.facts.minted_wei:
        return Problem(
            "MintMismatch",
            f"{seen.facts.minted_wei} wei were minted already, and the reward is "
            f"{reward_wei(seen.asset)}: the operator mints once, and not again",
        )
    return None


def _algorithm_unknown(seen: Observed) -> Problem | None:
    """Trust in an asset is trust in what it holds now: its digests go into the DDO."""
    named = trusted_dids(seen.asset, seen.environment) if seen.environment else ()
    return next((problem for did in named if (problem := _review_algorithm(did, seen))), None)


def _review_algorithm(did: str, seen: Observed) -> Problem | None:
    """Whether enough is known of a trusted algorithm asset."""
    found = seen.algorithms.get(did)
    if found and found.files_checksum and found.container_section_checksum:
        return None
    what = "is not on chain" if found is None else "doesn't say in clear what it runs"
    return Problem(
        "AlgorithmUnknown",
        f"the trusted algorithm {did} {what}: publish it with `posthuman algorithm publish`, or "
        "name its program by digest in a new asset",
    )


def _id_taken(seen: Observed) -> Problem | None:
    """An NFT of this publicationId that speaks of other files is never adopted."""
    creation = seen.facts.creation if seen.facts else None
    if creation is None or creation.publication == _publication(seen, creation.publication):
        return None
    return Problem(
        "PublicationIdTaken",
        f"NFT {creation.nft} has this publicationId, and other parents or files; "
        "publish under another name",
    )


def _publication(seen: Observed, said: Publication) -> Publication:
    spec = seen.asset.spec
    return Publication(
        publication_id=said.publication_id,
        parents=spec.parents,
        manifest_digest=spec.source.manifest_digest,
    )


def _signing(step: str, seen: Observed, chain: ChainSpec, draft: Draft) -> Sign:
    status, spec = draft.status, seen.asset.spec
    if step == CREATE:
        publication = Publication(
            publication_id=status.publication_id,
            parents=spec.parents,
            manifest_digest=spec.source.manifest_digest,
        )
        return SignCreate(publication, spec.metadata.name, market_fee(chain), sale(spec))
    if step == METADATA and seen.environment and seen.manifest:
        asset = msgspec.structs.replace(seen.asset, status=status)
        ddo = ddo_of(asset, seen.environment, chain, seen.manifest, seen.signer, seen.algorithms)
        return SignMetadata(status.nft, ddo, seen.environment)
    if step == MINT and spec.reward:
        return SignMint(status.datatoken, spec.reward.to, reward_wei(seen.asset))
    return SignTransfer(status.nft, spec.owner)


def market_fee(chain: ChainSpec) -> MarketFee:
    """What the environment takes of each order."""
    fee = chain.market_fee
    return (
        MarketFee(address=fee.address, token=fee.token, amount=fee.amount) if fee else MarketFee()
    )


def sale(spec: AssetSpec) -> Sale:
    """How strangers come by datatokens: whoever gets the NFT is paid."""
    pricing = spec.pricing
    if pricing.kind is PricingKind.PLAIN:
        return PLAIN
    return Sale(kind=pricing.kind, owner=spec.owner, token=pricing.token, rate=pricing.rate or "0")
