"""Who asks: a person known to Kubernetes, or the holder of a wallet's key."""

from __future__ import annotations

import msgspec

from posthuman.gateway.ports import Person


class Wallet(msgspec.Struct, frozen=True):
    """Proved by a signature. `address` is checksummed."""

    address: str

    def owns(self, owner: str) -> bool:
        """Whether an object's owner is this one, however either is written."""
        return owner.lower() == self.address.lower()


Caller = Person | Wallet


def name_of(caller: Caller) -> str:
    """For logs and rate limits: no two callers share one."""
    if isinstance(caller, Wallet):
        return f"wallet:{caller.address.lower()}"
    return f"person:{caller.username}"
