"""Whether what was published still stands: a chain may be reorganised deeper than the environment's
`confirmations`, and its node may have been put on another chain.

Nothing is repaired by itself: to publish anew because a node doesn't know an NFT would double it as
soon as another one does. It is seen within the hour and said, jobs don't start on it meanwhile, and
it heals when the NFT is back. Whoever deletes the asset and applies it again publishes it anew: the
chain is asked for its id first, as always.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition
from posthuman.assets.draft import Draft
from posthuman.assets.observed import Observed, Problem
from posthuman.ports import Clock

LOOK_SECONDS = 3600
NFT_MISSING = "NFTMissing"


class Looks:
    """When this process looks at which published asset; first looks are spread over the hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[str, datetime] = {}

    def is_due(self, asset: ModelAsset) -> bool:
        """Its time has come; the next is an hour later."""
        now, uid = self._clock.now(), asset.metadata.uid
        due = self._due.setdefault(uid, now + timedelta(seconds=_spread_seconds(uid)))
        if due > now:
            return False
        self._due[uid] = now + timedelta(seconds=LOOK_SECONDS)
        return True

    def seconds_left(self, asset: ModelAsset) -> float:
        """Until it is due."""
        due = self._due.get(asset.metadata.uid, self._clock.now())
        return max((due - self._clock.now()).total_seconds(), 0.0)


def vanished(asset: ModelAsset) -> Problem:
    """What to do where the chain doesn't know an NFT that it confirmed."""
    status = asset.status
    return Problem(
        NFT_MISSING,
        f"the chain has no NFT {status.nft} any more, which it had confirmed: it was reorganised "
        "deeper than spec.chain.confirmations, or its node serves another chain; nothing is done "
        "until it is back, or the asset is deleted and applied again, which publishes it anew",
    )


def say_whether_it_stands(seen: Observed, draft: Draft) -> None:
    """Of a published asset."""
    ready = find_condition(seen.asset.status.conditions, "Ready")
    if seen.nft_missing:
        problem = vanished(seen.asset)
        draft.condition("Ready", "False", problem.reason, problem.message)
    elif seen.nft_missing is False and ready and ready.reason == NFT_MISSING:
        draft.condition("Ready", "True", "Published", f"published as {seen.asset.status.did}")


def _spread_seconds(uid: str) -> int:
    return int.from_bytes(hashlib.sha256(uid.encode()).digest()[:4]) % LOOK_SECONDS
