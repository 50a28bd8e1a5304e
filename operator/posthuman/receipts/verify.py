"""Check a receipt, or a published model, against signature, chain and store; stop at the first
thing that doesn't fit.

Believed are the signers that the reader names; everything else has to follow from their signatures,
and from what they put on chain.
"""

from __future__ import annotations

import msgspec

from jobkit.manifest import RECEIPT_NAME, Manifest
from posthuman.assets.clear_ddo import clear_text
from posthuman.assets.lineage import prefix_in
from posthuman.chain import CreatedNFT
from posthuman.chain_ports import ChainReader
from posthuman.errors import NotFound, UserError
from posthuman.ports import ResultStore
from posthuman.receipts.content import Mismatch, Receipt, compare
from posthuman.receipts.signed import read_signed


class Verified(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was found to fit."""

    manifest: str
    prefix: str
    files: int = 0
    bytes: int = 0
    signer: str = ""  # of the receipt; empty: an upload, which no job made
    asset: str = ""  # DID on chain, with this manifest
    models: tuple[str, ...] = ()  # DIDs on chain of what went in, with the digests in the receipt
    unchecked: tuple[str, ...] = ()  # parts that only the store could show, and it wasn't there


class Verifier:
    """Reads one chain, and one store where there is one; changes nothing."""

    def __init__(
        self, reader: ChainReader, signers: frozenset[str], store: ResultStore | None
    ) -> None:
        self._reader = reader
        self._signers = frozenset(address.lower() for address in signers)
        self._store = store

    async def receipt(self, raw: bytes) -> Verified:
        """Of any finished job. Raises Mismatch, TransientError."""
        signed = read_signed(raw)
        said = signed.receipt
        if signed.signer.lower() not in self._signers:
            raise Mismatch(f"signer: {signed.signer} is not the environment's key")
        if said.chain_id != self._reader.chain_id:
            raise Mismatch(f"chain: the receipt is of chain {said.chain_id}")
        await self._on_chain(said)
        models = tuple(found["did"] for found in _published(said))
        found = await self._in_store(self._store, said)
        return msgspec.structs.replace(found, signer=signed.signer, asset=said.asset, models=models)

    async def _in_store(self, store: ResultStore | None, said: Receipt) -> Verified:
        if store is None:
            return Verified(
                manifest=said.manifest, prefix=said.prefix, unchecked=("manifest", "files")
            )
        manifest = await _manifest(store, said.prefix, said.manifest)
        compare(said, manifest)
        return Verified(
            manifest=said.manifest,
            prefix=said.prefix,
            files=len(manifest.files),
            bytes=await _files(store, said.prefix, manifest),
        )

    async def asset(self, did: str) -> Verified:
        """A published model: its NFT, its files, and the receipt of the job that made it.

        Raises NotFound, Mismatch, TransientError.
        """
        creation = await self._creation(did)
        digest, store = creation.publication.manifest_digest, self._store
        prefix = prefix_in(await clear_text(await self._reader.first_ddo(creation), store))
        if store is None:
            parts = ("receipt", "manifest", "files")
            return Verified(manifest=digest, prefix=prefix, asset=did, unchecked=parts)
        if not prefix:
            raise Mismatch(f"chain: the metadata of {did} doesn't say where its files are")
        manifest = await _manifest(store, prefix, digest)
        if manifest.job:
            return await self._made_by_a_job(store, did, prefix, digest)
        return Verified(
            manifest=digest,
            prefix=prefix,
            files=len(manifest.files),
            bytes=await _files(store, prefix, manifest),
            asset=did,
        )

    async def _made_by_a_job(
        self, store: ResultStore, did: str, prefix: str, digest: str
    ) -> Verified:
        try:
            raw = await store.get(f"{prefix}/{RECEIPT_NAME}")
        except NotFound:
            raise Mismatch(f"receipt: {prefix}/{RECEIPT_NAME} is not in the store") from None
        said = read_signed(raw).receipt
        if (said.asset, said.manifest, said.prefix) != (did, digest, prefix):
            raise Mismatch(f"receipt: {prefix}/{RECEIPT_NAME} is of another job than {did}")
        return await self.receipt(raw)

    async def _on_chain(self, said: Receipt) -> None:
        """The asset and the input models have the manifests on chain that the receipt names."""
        named = [
            (f"input {i.get('name')}", i["did"], i["manifestDigest"]) for i in _published(said)
        ]
        for part, did, digest in [("asset", said.asset, said.manifest), *named]:
            if did and (await self._creation(did)).publication.manifest_digest != digest:
                raise Mismatch(f"{part}: {did} was published with another manifest than {digest}")

    async def _creation(self, did: str) -> CreatedNFT:
        creation = await self._reader.creation(did)
        if creation is None:
            raise NotFound(f"chain {self._reader.chain_id} has no NFT with the DID {did}")
        if creation.creator.lower() not in self._signers:
            raise Mismatch(
                f"publisher: {did} was made by {creation.creator}, not the environment's key"
            )
        return creation


def _published(said: Receipt) -> list[dict[str, str]]:
    """Inputs that were published here: what a provider sold has a DID, and no manifest of ours."""
    return [found for found in said.inputs if found.get("did") and found.get("manifestDigest")]


async def _manifest(store: ResultStore, prefix: str, digest: str) -> Manifest:
    try:
        manifest, found = await store.manifest(prefix)
    except NotFound:
        raise Mismatch(f"store: {prefix}/manifest.json is missing") from None
    except UserError as error:
        raise Mismatch(f"store: {error}") from error
    if found != digest:
        raise Mismatch(f"store: {prefix}/manifest.json has digest {found}, not {digest}")
    return manifest


async def _files(store: ResultStore, prefix: str, manifest: Manifest) -> int:
    """Bytes in all."""
    for file in manifest.files:
        key = f"{prefix}/{file.path}"
        try:
            found = await store.sha256(key)
        except NotFound:
            raise Mismatch(f"store: {key} is missing") from None
        if found != file.sha256:
            raise Mismatch(f"store: {key} has sha256 {found}, not {file.sha256}")
    return sum(file.size for file in manifest.files)
