"""Where a model comes from, from the chain alone, and checked against the store if it is reached.

What an NFT's creation event says is fixed for good and signed by its creator, so it is believed of
known publishers, and of nobody else: an unknown one's claims are shown, never followed. The DDO,
which its owner may change, only hints at where in the store the manifest lies; the manifest counts
if it has the digest that the chain names. Then it also says what the model was trained from: a
parent that isn't among its inputs is a forged one.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from jobkit.manifest import Manifest
from jobkit.nesting import is_shallow
from posthuman.assets.clear_ddo import clear_text
from posthuman.chain import CreatedNFT
from posthuman.chain_ports import ChainReader
from posthuman.errors import NotFound, PosthumanError, TransientError
from posthuman.ports import ResultStore

StoreCheck = Literal["matches", "differs", "missing", "unreachable", "not checked"]
MOST_GENERATIONS = 100  # what is older is not followed


class Ancestor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One asset of a lineage. `problem` says why its parents were not followed.

    `claimed`: DIDs that it names as parents on chain, followed or not. `unsaid`: models that its
    manifest records as inputs and the chain doesn't name. `repeated`: its parents are told where
    it stands first.
    """

    did: str
    name: str = ""
    nft: str = ""
    datatoken: str = ""
    owner: str = ""
    publisher: str = ""
    publication_id: str = ""
    manifest_digest: str = ""
    store: StoreCheck = "not checked"
    algorithm: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    claimed: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    problem: str = ""
    repeated: bool = False
    parents: tuple[Ancestor, ...] = ()


class DDOHint(msgspec.Struct, frozen=True):
    """The part of a DDO that says where the manifest may lie."""

    prefix: str = ""


class _Extra(msgspec.Struct, frozen=True):
    posthuman: DDOHint = DDOHint()


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    additional_information: _Extra = _Extra()


class _DDO(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


class Tracer:
    """Reads one chain, and one store where there is one."""

    def __init__(
        self, reader: ChainReader, publishers: frozenset[str], store: ResultStore | None = None
    ) -> None:
        self._reader = reader
        self._publishers = frozenset(address.lower() for address in publishers)
        self._store = store

    async def trace(self, did: str) -> Ancestor:
        """The asset with its parents, and theirs. Raises NotFound, TransientError."""
        if await self._reader.creation(did) is None:
            raise NotFound(f"chain {self._reader.chain_id} has no NFT with the DID {did}")
        return await self._ancestor(did, frozenset(), set())

    async def _ancestor(
        self, did: str, descendants: frozenset[str], told: set[str], forged: str = ""
    ) -> Ancestor:
        """`told`: whose parents are told already; `forged`: why the child isn't made from it."""
        creation = await self._reader.creation(did)
        if creation is None:
            return Ancestor(did=did, problem=forged or f"not on chain {self._reader.chain_id}")
        found, manifest = await self._facts(did, creation)
        problem = self._problem(did, creation, descendants, forged)
        if problem:
            return msgspec.structs.replace(found, problem=problem)
        if did in told:
            return msgspec.structs.replace(found, repeated=bool(found.claimed))
        told.add(did)
        parents = [
            await self._ancestor(parent, descendants | {did}, told, _forgery(parent, manifest))
            for parent in found.claimed
        ]
        return msgspec.structs.replace(found, parents=tuple(parents))

    def _problem(
        self, did: str, creation: CreatedNFT, descendants: frozenset[str], forged: str
    ) -> str:
        if did in descendants:
            return "names itself as an ancestor"
        if forged:
            return forged
        if creation.creator.lower() not in self._publishers:
            return f"unknown publisher {creation.creator}"
        if len(descendants) >= MOST_GENERATIONS:
            return f"more than {MOST_GENERATIONS} generations"
        return ""

    async def _facts(self, did: str, creation: CreatedNFT) -> tuple[Ancestor, Manifest | None]:
        known = creation.creator.lower() in self._publishers
        store, manifest = await self._in_store(creation) if known else ("not checked", None)
        claimed = tuple(dict.fromkeys(creation.publication.parents))
        found = Ancestor(
            did=did,
            name=creation.name,
            nft=creation.nft,
            datatoken=creation.datatoken,
            owner=await self._reader.nft_owner(creation.nft),
            publisher=creation.creator,
            publication_id=creation.publication.publication_id,
            manifest_digest=creation.publication.manifest_digest,
            store=store,
            algorithm=manifest.algorithm if manifest else {},
            metrics=manifest.metrics if manifest else {},
            claimed=claimed,
            unsaid=_unsaid(claimed, manifest),
        )
        return found, manifest

    async def _in_store(self, creation: CreatedNFT) -> tuple[StoreCheck, Manifest | None]:
        first = await self._reader.first_ddo(creation)
        if self._store is None:
            return "not checked", None
        try:
            prefix = prefix_in(await clear_text(first, self._store))
            if not prefix:
                return "not checked", None
            manifest, digest = await self._store.manifest(prefix)
        except NotFound:
            return "missing", None
        except TransientError:
            return "unreachable", None
        except PosthumanError:  # other bytes lie where the manifest was
            return "differs", None
        if digest != creation.publication.manifest_digest:
            return "differs", None
        return "matches", manifest


def prefix_in(ddo: bytes) -> str:
    """Where in the store a DDO says that the manifest lies; empty if it says nothing."""
    if not is_shallow(ddo.decode(errors="replace")):
        return ""
    try:
        hint = msgspec.json.decode(ddo, type=_DDO).metadata.additional_information.posthuman
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return hint.prefix


def _forgery(parent: str, manifest: Manifest | None) -> str:
    """Why a claimed parent is none; empty if it is one, or if only the chain can be asked."""
    if manifest is None or parent in recorded(manifest):
        return ""
    return "forged parent: not among the inputs that the manifest records"


def _unsaid(claimed: tuple[str, ...], manifest: Manifest | None) -> tuple[str, ...]:
    return tuple(did for did in recorded(manifest) if did not in claimed) if manifest else ()


def recorded(manifest: Manifest) -> tuple[str, ...]:
    """DIDs of the assets that the job was given: what a provider sold has no manifest here."""
    given = (found for found in manifest.inputs if found.get("did") and found.get("manifestDigest"))
    return tuple(dict.fromkeys(found["did"] for found in given))
