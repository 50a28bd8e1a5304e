"""How soon an open transaction is looked at again. All of it is memory that may be lost: it spares
requests to the node, and decides nothing but when a fee is raised.

While the node's latest block is the one that a whole look saw, nothing can have been mined since:
to wait costs one request. A whole look is due now and then nevertheless, since a pool may drop what
it holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from posthuman.api.asset import ModelAsset
from posthuman.assets.observed import Decision, Observed, open_record
from posthuman.chain_ports import Ledger
from posthuman.ports import Clock

WHOLE_LOOK_SECONDS = 15.0
SHARED_SECONDS = 1.0  # the oldest answer that a patient look takes from another one


class Idle(NamedTuple):
    """There is nothing new to be seen while this is the latest block."""

    block: int
    patience_seconds: float  # how old an answer will do: less where blocks come quickly


class Heads:
    """The latest blocks, shared by all that wait for the same signer's transactions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[tuple[int, str], tuple[int, datetime]] = {}

    async def is_latest(self, idle: Idle, ledger: Ledger) -> bool:
        """Whether no block came. Raises TransientError."""
        signer, now = (ledger.chain_id, ledger.signer), self._clock.now()
        known = self._told.get(signer)
        if known is None or (now - known[1]).total_seconds() >= idle.patience_seconds:
            known = self._told[signer] = (await ledger.latest_block(), now)
        return known[0] == idle.block


class Pace:
    """Of the open transactions that one process waits for, by their hashes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting_since: dict[str, datetime] = {}
        self._next_since: dict[str, datetime] = {}
        self._sent_at: dict[str, datetime] = {}
        self._idle_at: dict[str, tuple[int, datetime]] = {}  # the block of a look that saw nothing

    def idle(self, asset: ModelAsset) -> Idle | None:
        """None: a whole look is due."""
        record = open_record(asset.status)
        if record is None or record.hash not in self._idle_at:
            return None
        block, looked_at = self._idle_at[record.hash]
        if self._seconds_since(looked_at) >= WHOLE_LOOK_SECONDS:
            return None
        began = self._waiting_since.get(record.hash, looked_at)
        return Idle(block, min(self._seconds_since(began) / 8, SHARED_SECONDS))

    def waited_seconds(self, seen: Observed) -> float:
        """Since this process first saw the open transaction."""
        record = seen.open_record
        if record is None:
            return 0.0
        return self._seconds_since(self._waiting_since.setdefault(record.hash, self._clock.now()))

    def next_seconds(self, seen: Observed) -> float:
        """Since this process first saw that only its fee can hold it up."""
        record = seen.open_record
        if record is None or seen.nonces is None or seen.receipt:
            return 0.0
        if seen.nonces.mined != record.nonce:
            self._next_since.pop(record.hash, None)
            return 0.0
        return self._seconds_since(self._next_since.setdefault(record.hash, self._clock.now()))

    def was_brought(self, seen: Observed) -> bool:
        """This process has sent it, and the node holds its nonce; behind another nonce that the
        node lacks it can't be told, and is believed for a while."""
        record, nonces = seen.open_record, seen.nonces
        if record is None or nonces is None or record.hash not in self._sent_at:
            return False
        lately = self._seconds_since(self._sent_at[record.hash]) < WHOLE_LOOK_SECONDS
        return nonces.pending > record.nonce or (nonces.pending < record.nonce and lately)

    def sent(self, seen: Observed) -> None:
        """The open transaction was sent."""
        if seen.open_record:
            self._sent_at[seen.open_record.hash] = self._clock.now()

    def looked(self, seen: Observed, decision: Decision) -> None:
        """After a pass: what it found open may be settled now, or have nothing new about it."""
        record = seen.open_record
        if record is None or seen.unchanged:
            return
        idle = decision.status == seen.asset.status and not decision.actions and not seen.problem
        if idle and seen.nonces:
            self._idle_at[record.hash] = (seen.nonces.block, self._clock.now())
        else:
            self._idle_at.pop(record.hash, None)
        still = open_record(decision.status)
        if still is None or still.hash != record.hash:
            self._forget(record.hash)

    def _forget(self, transaction_hash: str) -> None:
        for known in (self._waiting_since, self._next_since, self._sent_at, self._idle_at):
            known.pop(transaction_hash, None)

    def _seconds_since(self, moment: datetime) -> float:
        return (self._clock.now() - moment).total_seconds()
