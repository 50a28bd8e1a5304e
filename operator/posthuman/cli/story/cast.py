"""Who is in the story. The keys are anvil's well-known ones: worth nothing on any real chain."""

from __future__ import annotations

from typing import NamedTuple

from posthuman.api.meta import Key
from posthuman.ledger.account import DEV_KEYS, account_of

ENVIRONMENT = "lab"
WORK_NAMESPACE = "lab-work"


class Person(NamedTuple):
    """`name` in lower case is also the person's namespace."""

    name: str
    private_key: bytes

    @property
    def address(self) -> str:
        """Checksummed."""
        address: str = account_of(self.private_key).address
        return address

    @property
    def namespace(self) -> str:
        """Where this person's jobs and assets are."""
        return self.name.lower()


ALICE = Person("Alice", DEV_KEYS[1])
BOB = Person("Bob", DEV_KEYS[2])
CHARLIE = Person("Charlie", DEV_KEYS[3])
DEREK = Person("Derek", DEV_KEYS[4])
ELENA = Person("Elena", DEV_KEYS[5])
CAST = (ALICE, BOB, CHARLIE, DEREK, ELENA)

BASE_MODEL = Key("alice", "base-model")
BOB_TRAINS = Key("bob", "bob-trains")
CHARLIE_TRAINS = Key("charlie", "charlie-trains")
DEREK_GENERATES = Key("derek", "derek-generates")
ELENA_EVALUATES = Key("elena", "elena-evaluates")
GENERATIONS = (BASE_MODEL, BOB_TRAINS, CHARLIE_TRAINS)


def name_of(address: str) -> str:
    """The person's name, or the address of somebody else."""
    names = {person.address.lower(): person.name for person in CAST}
    return names.get(address.lower(), address)
