"""The one place that puts adapters behind ports, for a cluster and for a laptop alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from posthuman.api.environment import ChainSpec, ComputeEnvironment, StoreSpec
from posthuman.api.meta import Key, SecretKeyRef
from posthuman.assets.reconcile import AssetReconciler
from posthuman.chain_ports import ChainReader, Ledger, Provider, ReceiptSigner
from posthuman.environments.catalogue import read_catalogue
from posthuman.environments.reconcile import EnvironmentReconciler, ObserveBalance
from posthuman.errors import NotFound, UserError
from posthuman.jobs.observed import Settings
from posthuman.jobs.reconcile import JobReconciler
from posthuman.ledger.account import account_of
from posthuman.ledger.encryptor import ProviderEncryptor
from posthuman.ledger.keyring import KeyMaterial, KeyRing, LocalMaterial, RemoteMaterial
from posthuman.ledger.keys import SigningKey
from posthuman.ledger.ocean import ledger_with
from posthuman.ledger.reader import open_reader
from posthuman.ledger.receipts import KeySigner
from posthuman.ports import Clock, Cluster, ResultStore
from posthuman.provider.ocean import OceanProvider
from posthuman.store.results import open_results

STORE_KEYS = {
    "accessKeyId": "AWS_ACCESS_KEY_ID",
    "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
}
REREAD_SECONDS = 300.0  # how soon a rotated credential is noticed

Material = TypeVar("Material")
Opened = TypeVar("Opened")
AtEnd = Callable[[Callable[[], Awaitable[None]]], object]


class Reconciler(Protocol):
    """One kind's level-triggered loop."""

    async def reconcile(self, key: Key) -> float | None: ...


class Secrets(Protocol):
    """Who may read what a store is opened with: the operator, and the gateway."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Raises NotFound, SecretForbidden."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """In UTC."""
        return datetime.now(UTC)


def build(
    cluster: Cluster,
    clock: Clock,
    settings: Settings,
    observe_balance: ObserveBalance = lambda _chain_id, _signer, _wei: None,
    at_end: AtEnd = lambda _close: None,
) -> Mapping[str, Reconciler]:
    """The reconcilers, by kind, over one cluster. `at_end` is told what closes each connection, for
    a process that goes on afterwards."""
    stores = Adapters(clock, partial(store_material, cluster), _open_store)
    ring = KeyRing()
    at_end(ring.close)
    chain_material = partial(_chain_material, cluster, ring)
    ledgers = Adapters(clock, chain_material, partial(_open_ledger, at_end))
    signers = Adapters(clock, chain_material, _open_signer)
    readers = Adapters(clock, partial(_rpc_material, cluster), partial(_open_reader, at_end))
    providers = Adapters(clock, partial(_provider_material, cluster), _open_provider)
    return {
        "ComputeJob": JobReconciler(
            cluster, stores.of, signers.of, readers.of, clock, settings, providers.of
        ),
        "ModelAsset": AssetReconciler(
            cluster, stores.of, ledgers.of, clock, readers.of, ProviderEncryptor
        ),
        "ComputeEnvironment": EnvironmentReconciler(
            cluster, stores.of, ledgers.of, providers.of, clock, observe_balance
        ),
    }


def installed_settings(algorithms: Path, **overrides: object) -> Settings:
    """Settings with the catalogue that lies below `algorithms`."""
    return msgspec.structs.replace(Settings(catalogue=read_catalogue(algorithms)), **overrides)


class StoreMaterial(msgspec.Struct, frozen=True):
    """What a store is opened with."""

    spec: StoreSpec
    credentials: Mapping[str, str]


class ChainMaterial(msgspec.Struct, frozen=True):
    """What a ledger is opened with."""

    spec: ChainSpec
    rpc_url: bytes
    key: SigningKey


class RpcMaterial(msgspec.Struct, frozen=True):
    """What a chain is read with."""

    spec: ChainSpec
    rpc_url: bytes


class ProviderMaterial(msgspec.Struct, frozen=True):
    """What a provider is bought at with; a chain without a metadata cache is read itself."""

    spec: ChainSpec
    rpc_url: bytes
    consumer_key: bytes


class Adapters(Generic[Material, Opened]):
    """One open adapter an environment; opened anew when its spec or its credentials changed."""

    def __init__(
        self,
        clock: Clock,
        read: Callable[[ComputeEnvironment], Awaitable[Material]],
        open_one: Callable[[Material], Opened],
    ) -> None:
        self._clock = clock
        self._read = read
        self._open = open_one
        self._known: dict[str, tuple[tuple[str, int], datetime, Material, Opened]] = {}

    async def of(self, environment: ComputeEnvironment) -> Opened:
        """Raises NotFound, SecretForbidden, UserError, TransientError."""
        name = environment.metadata.name
        version = (
            environment.metadata.uid,
            environment.metadata.generation,
        )  # a namesake has 1 too
        now, known = self._clock.now(), self._known.get(name)
        if known and known[0] == version and _seconds(known[1], now) < REREAD_SECONDS:
            return known[3]
        material = await self._read(environment)
        known = self._known.get(name)  # another pass may have opened it while we read
        same = known is not None and known[2] == material
        opened = known[3] if known is not None and same else self._open(material)
        self._known[name] = (version, now, material, opened)
        return opened


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()


def _open_store(material: StoreMaterial) -> ResultStore:
    return open_results(material.spec, material.credentials)


def _open_ledger(at_end: AtEnd, material: ChainMaterial) -> Ledger:
    ledger = ledger_with(material.key, material.rpc_url.decode().strip(), material.spec)
    at_end(ledger.close)
    return ledger


def _open_reader(at_end: AtEnd, material: RpcMaterial) -> ChainReader:
    reader = open_reader(material.rpc_url.decode().strip(), material.spec)
    at_end(reader.close)
    return reader


def _open_provider(material: ProviderMaterial) -> Provider:
    reader = open_reader(material.rpc_url.decode().strip(), material.spec)
    return OceanProvider(material.spec, account_of(material.consumer_key), reader)


def _open_signer(material: ChainMaterial) -> ReceiptSigner:
    return KeySigner(material.key, material.spec.chain_id)


async def store_material(secrets: Secrets, environment: ComputeEnvironment) -> StoreMaterial:
    """Raises NotFound, SecretForbidden, UserError."""
    store = environment.spec.store
    if store.credentials_secret is None:
        return StoreMaterial(store, {})
    namespace, name = environment.spec.work_namespace, store.credentials_secret.name
    secret = await secrets.secret(namespace, name)
    missing = [key for key in STORE_KEYS if key not in secret]
    if missing:
        raise UserError(
            f'Secret {namespace}/{name} has no key "{missing[0]}"; the store needs '
            f"{' and '.join(STORE_KEYS)}",
            reason="CredentialsIncomplete",
        )
    return StoreMaterial(store, {STORE_KEYS[key]: secret[key].decode() for key in STORE_KEYS})


async def _chain_material(
    cluster: Cluster, ring: KeyRing, environment: ComputeEnvironment
) -> ChainMaterial:
    chain, namespace = _chain_of(environment), environment.spec.work_namespace
    key_material = await _key_material(cluster, namespace, chain)
    return ChainMaterial(
        chain,
        rpc_url=await _value(cluster, namespace, chain.rpc_url_secret),
        key=await ring.key(environment.metadata.name, key_material),
    )


async def _key_material(cluster: Cluster, namespace: str, chain: ChainSpec) -> KeyMaterial:
    """Of a key in a Secret, or of a remote signer's; the CRD's rule leaves one of the two."""
    if chain.signer_secret is not None:
        secret = await _value(cluster, namespace, chain.signer_secret)
        named = chain.signer_password_secret
        return LocalMaterial(secret, await _value(cluster, namespace, named) if named else None)
    if chain.remote_signer is not None:
        url = await _value(cluster, namespace, chain.remote_signer.url_secret)
        return RemoteMaterial(url, chain.remote_signer.address)
    raise UserError(
        "spec.chain names no signer: set signerSecret or remoteSigner in a new environment",
        reason="SignerMissing",
    )


async def _rpc_material(cluster: Cluster, environment: ComputeEnvironment) -> RpcMaterial:
    chain, namespace = _chain_of(environment), environment.spec.work_namespace
    return RpcMaterial(chain, await _value(cluster, namespace, chain.rpc_url_secret))


async def _provider_material(cluster: Cluster, environment: ComputeEnvironment) -> ProviderMaterial:
    chain, namespace = _chain_of(environment), environment.spec.work_namespace
    if chain.consumer_key_secret is None:
        raise NotFound(
            f'environment "{environment.metadata.name}" has no spec.chain.consumerKeySecret',
            reason="NoProvider",
        )
    return ProviderMaterial(
        chain,
        rpc_url=await _value(cluster, namespace, chain.rpc_url_secret),
        consumer_key=await _value(cluster, namespace, chain.consumer_key_secret),
    )


def _chain_of(environment: ComputeEnvironment) -> ChainSpec:
    if environment.spec.chain is None:
        raise NotFound(
            f'environment "{environment.metadata.name}" has no spec.chain', reason="NoChain"
        )
    return environment.spec.chain


async def _value(cluster: Cluster, namespace: str, ref: SecretKeyRef) -> bytes:
    """The named key's value; without a name, the value of the Secret's only key."""
    secret = await cluster.secret(namespace, ref.name)
    if ref.key in secret:
        return secret[ref.key]
    if not ref.key and len(secret) == 1:
        return next(iter(secret.values()))
    raise UserError(
        f"Secret {namespace}/{ref.name} has "
        + (f'no key "{ref.key}"' if ref.key else "several keys; say which")
        + f" (it has: {', '.join(sorted(secret)) or 'none'})",
        reason="SecretKeyMissing",
    )
