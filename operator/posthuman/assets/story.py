"""An asset's story in events: one line for each thing that became different in its status. Pure."""

from __future__ import annotations

from posthuman.api.asset import AssetStatus, ModelAsset
from posthuman.api.conditions import find_condition
from posthuman.api.meta import Condition
from posthuman.assets.observed import CREATE, METADATA, MINT, TRANSFER
from posthuman.ports import JobEvent

ROUTINE = frozenset({"Publishing", "Sending", "Confirming"})  # told by the transactions
LINES = {
    CREATE: ("NFTCreated", "the NFT and its datatoken are created"),
    METADATA: ("MetadataSet", "the DDO is on chain"),
    MINT: ("RewardMinted", "the reward is minted"),
    TRANSFER: ("NFTTransferred", "the NFT is its owner's"),
}


def story(asset: ModelAsset, new: AssetStatus) -> list[JobEvent]:
    """Events for what changed between the asset's stored status and the new one."""
    return [_event(asset, *line) for line in [*_steps(asset, new), *_turns(asset, new)]]


def _steps(asset: ModelAsset, new: AssetStatus) -> list[tuple[str, str, bool]]:
    known = {found.step for found in asset.status.transactions if found.block}
    return [
        (reason, f"{text}: transaction {found.hash} in block {found.block}", False)
        for found in new.transactions
        if found.block and found.step not in known
        for reason, text in [LINES[found.step]]
    ]


def _turns(asset: ModelAsset, new: AssetStatus) -> list[tuple[str, str, bool]]:
    old = asset.status.conditions
    return [
        (found.reason, found.message, found.status == "False")
        for found in new.conditions
        if found.type in ("Accepted", "Published")
        and found.reason not in ROUTINE
        and _changed(find_condition(old, found.type), found)
    ]


def _changed(old: Condition | None, new: Condition) -> bool:
    return old is None or (old.status, old.reason) != (new.status, new.reason)


def _event(asset: ModelAsset, reason: str, message: str, warning: bool) -> JobEvent:
    return JobEvent(
        kind="ModelAsset",
        key=asset.metadata.key,
        uid=asset.metadata.uid,
        reason=reason,
        message=message,
        warning=warning,
    )
