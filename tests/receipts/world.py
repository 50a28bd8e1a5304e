"""A finished training of a published model: chain, store and receipt, all of a piece."""

from __future__ import annotations

import hashlib
import json

import msgspec

from jobkit.manifest import Manifest, ManifestFile, digest_of, encode_manifest
from posthuman.api.job import Attempt, ComputeJob, InputRecord, Phase, PublishedAsset, Results
from posthuman.assets.ddo import in_clear
from posthuman.assets.did import did_of
from posthuman.chain import MarketFee, Publication, UnsignedTransaction
from posthuman.ledger.account import DEV_KEYS
from posthuman.ledger.receipts import KeySigner
from posthuman.receipts.content import identity_of
from posthuman.receipts.issue import issued
from posthuman.receipts.verify import Verifier
from tests import builders
from tests.fakes.ledger import CHAIN_ID, FakeChain, FakeLedger, FakeReader
from tests.fakes.result_store import FakeResultStore
from tests.receipts.signers import open_receipt_signer

PREFIX = "jobs/11112222-3333"
RECEIPT = f"{PREFIX}/receipt.json"
MANIFEST = f"{PREFIX}/manifest.json"
FILES = {"model/w.safetensors": b"weights", "report.json": b"{}"}
UPLOAD = {"model/w.safetensors": b"alice's weights"}


def signer(key: int = 9) -> KeySigner:
    """An environment's key: one of anvil's well-known ones."""
    return open_receipt_signer(DEV_KEYS[key], CHAIN_ID)


class World:
    """Alice's upload is published as `alice`; Bob's job used it and is published as `bob`."""

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.ledger = FakeLedger(self.chain)
        self.store = FakeResultStore()
        self.alice = self.bob = ""

    async def told(self) -> World:
        """All of it."""
        raw = await self._keep("uploads/alice", UPLOAD, Manifest(files=()))
        self.alice = await self.publish("alice", "uploads/alice", digest_of(raw))
        given = {"name": "model", "kind": "model", "did": self.alice}
        job = builders.job()
        manifest = Manifest(
            files=(),
            job=identity_of(job),
            algorithm={"name": "train", "version": "1", "digest": "sha256:" + "a" * 64},
            inputs=({**given, "manifestDigest": digest_of(raw)},),
            parameters={"steps": 5},
            gpu_seconds=12.5,
            created_at="2026-01-01T12:03:00Z",
        )
        await self._keep(PREFIX, FILES, manifest)
        manifest, digest = await self.store.manifest(PREFIX)
        self.bob = await self.publish("bob", PREFIX, digest)
        finished = self.finished(job, manifest, digest)
        results = finished.status.results
        assert results
        content = await issued(finished, results, manifest, digest, signer())
        await self.store.put(RECEIPT, content)
        return self

    def finished(self, job: ComputeJob, manifest: Manifest, digest: str) -> ComputeJob:
        """As the operator has recorded it."""
        (given,) = manifest.inputs
        status = msgspec.structs.replace(
            job.status,
            phase=Phase.SUCCEEDED,
            attempts=(Attempt(number=1, started_at="2026-01-01T12:01:00Z"),),
            inputs=(
                InputRecord(
                    name="model",
                    kind="model",
                    did=given["did"],
                    manifest_digest=given["manifestDigest"],
                ),
            ),
            results=Results(uri="s3://x", prefix=PREFIX, manifest_digest=digest),
            asset=PublishedAsset(name="bob", did=self.bob),
            finished_at="2026-01-01T12:04:00Z",
        )
        return msgspec.structs.replace(job, status=status)

    def verifier(self) -> Verifier:
        """Believes the operator: the fake chain's account of it, and its key."""
        signers = frozenset({self.ledger.signer, signer().address})
        return Verifier(FakeReader(self.chain), signers, self.store)

    async def publish(self, name: str, prefix: str, digest: str) -> str:
        """Its DID."""
        said = Publication(publication_id=name, parents=(), manifest_digest=digest)
        await self._send(await self.ledger.prepare_create(said, name, MarketFee()))
        found = await self.ledger.find(name)
        assert found
        facts = {"additionalInformation": {"posthuman": {"prefix": prefix}}}
        ddo = json.dumps({"metadata": facts}).encode()
        await self._send(await self.ledger.prepare_metadata(found.nft, in_clear(ddo)))
        return did_of(found.nft, CHAIN_ID)

    async def _send(self, unsigned: UnsignedTransaction) -> None:
        nonce = (await self.ledger.nonces()).pending
        await self.ledger.send((await self.ledger.sign(unsigned, nonce)).raw)

    async def _keep(self, prefix: str, files: dict[str, bytes], manifest: Manifest) -> bytes:
        listed = tuple(
            ManifestFile(
                path=path,
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
                file_class="custody",
            )
            for path, content in files.items()
        )
        raw = encode_manifest(msgspec.structs.replace(manifest, files=listed))
        for path, content in {**files, "manifest.json": raw}.items():
            await self.store.put(f"{prefix}/{path}", content)
        return raw
