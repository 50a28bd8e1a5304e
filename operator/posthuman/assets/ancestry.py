"""Reads whom a job's models come from, and what each ancestor trusts: the facts for trust.py.

Creations and first DDOs never change, so they are kept by DID, in a cache that can be lost; the
DDO that stands is read each time. Nothing but the chain is believed, and of a DDO that was
encrypted the clear text in the store, which has the digest that the chain names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.assets.clear_ddo import clear_text
from posthuman.assets.published_algorithm import algorithm_in
from posthuman.assets.services import ServiceFacts, services_in
from posthuman.assets.trust import AlgorithmFacts, Custodian, Custody, Line
from posthuman.chain import CreatedNFT, SetDDO
from posthuman.chain_ports import ChainReader
from posthuman.environments.verdict import Waiting
from posthuman.errors import NotFound, PosthumanError
from posthuman.ports import ResultStore

StoreOf = Callable[[ComputeEnvironment], Awaitable[ResultStore]]
ReaderOf = Callable[[ComputeEnvironment], Awaitable[ChainReader]]

MOST_KEPT = 10_000  # assets; a few kilobytes each
MOST_ANCESTORS = 1000  # a line with more is refused


class _Origin(msgspec.Struct, frozen=True):
    """What never changes of an asset. `first`: its services, None if they can't be read."""

    creation: CreatedNFT
    first: tuple[ServiceFacts, ...] | None


class Ancestry:
    """Of the assets of any environment."""

    def __init__(self, reader_of: ReaderOf, store_of: StoreOf) -> None:
        self._reader_of = reader_of
        self._store_of = store_of
        self._origins: dict[tuple[str, str], _Origin] = {}  # by environment's UID and DID

    async def look(
        self, environment: ComputeEnvironment, dids: Mapping[str, str], algorithm_did: str = ""
    ) -> Custody:
        """The lines of these assets, by input name; a fault of the world is a line's problem."""
        try:
            asked = _Asked(
                environment,
                await self._reader_of(environment),
                await self._store_of(environment),
                self._origins,
            )
            lines = {name: await asked.line(did) for name, did in dids.items()}
            algorithm = await asked.algorithm(algorithm_did) if algorithm_did and dids else None
        except PosthumanError as error:
            problem = Waiting(error.reason, f"whom its models come from can't be read: {error}")
            return Custody(lines=dict.fromkeys(dids, Line(problem=problem)))
        finally:
            while len(self._origins) > MOST_KEPT:
                del self._origins[next(iter(self._origins))]
        return Custody(lines=lines, algorithm=algorithm)


class _Asked:
    """One look."""

    def __init__(
        self,
        environment: ComputeEnvironment,
        reader: ChainReader,
        store: ResultStore,
        origins: dict[tuple[str, str], _Origin],
    ) -> None:
        self._uid = environment.metadata.uid
        self._reader = reader
        self._store = store
        self._origins = origins

    async def line(self, did: str) -> Line:
        """The asset first, then its ancestors, each once. Raises TransientError, NotFound."""
        found: dict[str, Custodian] = {}
        generation = [did]
        while generation and len(found) < MOST_ANCESTORS:
            origins = await asyncio.gather(*(self._origin(one) for one in generation))
            custodians = await asyncio.gather(
                *(self._custodian(*pair) for pair in zip(generation, origins, strict=True))
            )
            found |= {one.did: one for one in custodians}
            parents = [name for one in origins for name in one.creation.publication.parents]
            generation = [name for name in dict.fromkeys(parents) if name not in found]
        if generation:
            raise NotFound(f"{did} has more than {MOST_ANCESTORS} ancestors", "LineTooLong")
        return Line(custodians=tuple(found.values()))

    async def _custodian(self, did: str, origin: _Origin) -> Custodian:
        current = await self._reader.current_ddo(origin.creation)
        return Custodian(
            did=did,
            creator=origin.creation.creator,
            manifest_digest=origin.creation.publication.manifest_digest,
            first=origin.first,
            current=await self._services(current),
        )

    async def _origin(self, did: str) -> _Origin:
        kept = self._origins.get((self._uid, did))
        if kept:
            return kept
        creation = await self._creation(did)
        ddo = await self._reader.first_ddo(creation)
        origin = _Origin(creation, await self._services(ddo))
        if ddo and origin.first is not None:
            self._origins[self._uid, did] = origin
        return origin

    async def _services(self, ddo: SetDDO | None) -> tuple[ServiceFacts, ...] | None:
        text = await clear_text(ddo, self._store)
        return None if ddo and ddo.encrypted and not text else services_in(text)

    async def _creation(self, did: str) -> CreatedNFT:
        creation = await self._reader.creation(did)
        if creation is None:
            raise NotFound(f"chain {self._reader.chain_id} shows no NFT of {did}", "NotOnChain")
        return creation

    async def algorithm(self, did: str) -> AlgorithmFacts | None:
        """None where the chain has none: nobody trusts it then."""
        return await algorithm_asset(did, self._reader, self._store)


async def algorithm_asset(
    did: str, reader: ChainReader, store: ResultStore
) -> AlgorithmFacts | None:
    """An algorithm asset as it is now; None if the chain has none. Raises TransientError."""
    creation = await reader.creation(did)
    if creation is None:
        return None
    owner = await reader.nft_owner(creation.nft)
    ddo = await clear_text(await reader.current_ddo(creation), store)
    return algorithm_in(ddo, did, creation.creator, owner)
