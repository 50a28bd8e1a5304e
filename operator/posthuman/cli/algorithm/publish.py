"""`posthuman algorithm publish`: an algorithm's folder as an Ocean algorithm asset."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from posthuman.api.conditions import timestamp
from posthuman.api.environment import ChainSpec, ComputeEnvironment
from posthuman.api.meta import Key, SecretKeyRef
from posthuman.assets.algorithm_ddo import Algorithm, algorithm_ddo
from posthuman.assets.did import did_of
from posthuman.assets.steps import market_fee
from posthuman.chain import CreatedNFT
from posthuman.cli.admitted import admitted
from posthuman.cli.algorithm.folder import Said, as_facts, read_algorithm
from posthuman.cli.algorithm.outbox import Outbox
from posthuman.cli.algorithm.publication import AlgorithmPublisher
from posthuman.cli.ending import REFUSED, SUCCEEDED, said
from posthuman.errors import NotFound, UserError
from posthuman.ledger.keyring import KeyMaterial, LocalMaterial, RemoteMaterial, open_key
from posthuman.ledger.ocean import ledger_with
from posthuman.local.chain import SIGNER_KEY, embedded_chain
from posthuman.local.documents import read_documents
from posthuman.local.lock import locked
from posthuman.local.objects import Objects

OUTBOX = "algorithms"  # below the working folder


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A chain to publish on, and who signs."""

    name: str
    rpc_url: str
    chain: ChainSpec
    signer: KeyMaterial


def publish_algorithm(
    folder: Path,
    words: Said,
    environment: Path | None,
    workdir: Path,
    key_file: Path | None,
    as_json: bool,
) -> int:
    """Print its DID and what those write who use or trust it. Raises UserError, TransientError."""
    algorithm = read_algorithm(folder, words)
    key = _read_key(key_file)
    with locked(workdir), _site(environment, workdir, key) as site:
        if site is None:
            return REFUSED
        created = asyncio.run(_publish(algorithm, site, workdir / OUTBOX))
    did = did_of(created.nft, site.chain.chain_id)
    facts = {"did": did, "nft": created.nft, "datatoken": created.datatoken}
    if as_json:
        print(json.dumps({**facts, **as_facts(algorithm)}, indent=2))
    else:
        print(_as_text(algorithm, did, created))
    return SUCCEEDED


async def _publish(algorithm: Algorithm, site: Site, outboxes: Path) -> CreatedNFT:
    key = await open_key(site.signer)
    ledger = ledger_with(key, site.rpc_url, site.chain)
    publisher = AlgorithmPublisher(ledger, partial(Outbox, outboxes), site.chain.confirmations)
    endpoint = site.chain.provider_url or f"urn:posthuman:environment:{site.name}"
    now = timestamp(datetime.now(UTC))
    chain_id = site.chain.chain_id
    try:
        return await publisher.publish(
            algorithm,
            market_fee(site.chain),
            lambda created: algorithm_ddo(algorithm, created, chain_id, endpoint, now),
        )
    finally:
        await ledger.close()
        await key.close()


@contextmanager
def _site(environment: Path | None, workdir: Path, key: bytes | None) -> Iterator[Site | None]:
    """That of an environment's file, or the embedded chain; None if the file was refused."""
    if environment is None:
        said.print("starting the local chain, with all of Ocean's contracts (a few seconds)")
        with embedded_chain(workdir / "chain") as chain:
            signer = LocalMaterial(key or SIGNER_KEY)
            yield Site(name="local", rpc_url=chain.url, chain=chain.spec, signer=signer)
        return
    objects = admitted(read_documents(environment))
    yield _site_of(objects, environment, key) if objects else None


def _site_of(objects: Objects, file: Path, key: bytes | None) -> Site:
    found = objects.all(ComputeEnvironment)
    chain = found[0].spec.chain if len(found) == 1 else None
    if chain is None:
        raise UserError(f"{file} must hold one ComputeEnvironment, with a spec.chain")
    namespace = found[0].spec.work_namespace
    return Site(
        name=found[0].metadata.name,
        rpc_url=_secret(objects, namespace, chain.rpc_url_secret, file).decode().strip(),
        chain=chain,
        signer=LocalMaterial(key) if key else _signer(objects, namespace, chain, file),
    )


def _signer(objects: Objects, namespace: str, chain: ChainSpec, file: Path) -> KeyMaterial:
    """The environment's own; the CRD's rule leaves one of the two ways."""
    if chain.remote_signer:
        url = _secret(objects, namespace, chain.remote_signer.url_secret, file)
        return RemoteMaterial(url, chain.remote_signer.address)
    assert chain.signer_secret, "it was admitted"
    secret, named = (
        _secret(objects, namespace, chain.signer_secret, file),
        chain.signer_password_secret,
    )
    return LocalMaterial(secret, _secret(objects, namespace, named, file) if named else None)


def _secret(objects: Objects, namespace: str, ref: SecretKeyRef, file: Path) -> bytes:
    try:
        content = objects.secret(Key(namespace, ref.name))
    except NotFound:
        content = {}
    if ref.key in content:
        return content[ref.key]
    raise UserError(
        f'{file} lacks the Secret "{ref.name}" of namespace "{namespace}" with the key '
        f'"{ref.key}": add it there (to sign with a key of your own: --key-file)'
    )


def _read_key(file: Path | None) -> bytes | None:
    """32 bytes, or 64 hex digits."""
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"the key file {file} can't be read: {error.strerror}") from error


def _as_text(algorithm: Algorithm, did: str, created: CreatedNFT) -> str:
    facts = as_facts(algorithm)
    image = algorithm.image
    return (
        f"published {algorithm.title} {algorithm.version}\n"
        f"  did: {did}\n  nft: {created.nft}\n  datatoken: {created.datatoken}\n"
        "# a job that runs it\n"
        f"algorithm:\n  image:\n    reference: {image.image}\n    digest: {image.digest}\n"
        f"    entrypoint: {json.dumps(algorithm.entrypoint)}\n"
        "# an environment that trusts it with its assets' weights\n"
        f"policy:\n  trustedAlgorithms: [{json.dumps(facts['programDigest'])}]"
    )
