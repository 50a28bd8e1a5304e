"""The environment that a person names: a manifest's file, or a name in the cluster they work with.

A file may hold Secrets too. Of a cluster nobody but the operator reads them: a person brings
credentials of their own, in environment variables or flags.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import Key, SecretKeyRef
from posthuman.cli.person import read_environment
from posthuman.errors import NotFound, UserError
from posthuman.local.apply import apply_document
from posthuman.local.documents import read_documents
from posthuman.local.objects import Objects

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
STORE_KEYS = {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}
OWN_CREDENTIALS = (*STORE_KEYS.values(), "AWS_SESSION_TOKEN")


class KnownEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """It, and the Secrets of its work namespace that came with it, by name."""

    environment: ComputeEnvironment
    secrets: Mapping[str, Mapping[str, bytes]] = {}

    def secret(self, ref: SecretKeyRef | None) -> bytes:
        """The named key's value, or that of the only key; empty where it isn't known."""
        content = self.secrets.get(ref.name, {}) if ref else {}
        only = next(iter(content.values())) if len(content) == 1 else b""
        return content.get(ref.key, only) if ref else b""

    def store_credentials(self) -> dict[str, str]:
        """Those that came with it, else the person's own AWS_… variables."""
        named = self.environment.spec.store.credentials_secret
        content = self.secrets.get(named.name, {}) if named else {}
        found = {STORE_KEYS[key]: content[key].decode() for key in STORE_KEYS if key in content}
        return found or own_credentials()


def own_credentials() -> dict[str, str]:
    """A person's for a store, as the AWS tools take them."""
    return {name: os.environ[name] for name in OWN_CREDENTIALS if name in os.environ}


def known_environment(named: Path, context: str) -> KnownEnvironment:
    """A file where there is one of this name. Raises UserError, TransientError."""
    if named.exists():
        return _of_file(named)
    if not NAME.fullmatch(str(named)):
        raise UserError(
            f"there is no file {named}, and it is no name of a ComputeEnvironment in a cluster"
        )
    return KnownEnvironment(environment=asyncio.run(read_environment(str(named), context)))


def _of_file(file: Path) -> KnownEnvironment:
    objects = Objects()
    for document in read_documents(file):
        apply_document(objects, document)
    found = objects.all(ComputeEnvironment)
    if len(found) != 1:
        raise UserError(f"{file} must hold one ComputeEnvironment; it holds {len(found)}")
    names = _secrets_of(found[0])
    kept = {name: _secret(objects, Key(found[0].spec.work_namespace, name)) for name in names}
    return KnownEnvironment(environment=found[0], secrets=kept)


def _secrets_of(environment: ComputeEnvironment) -> set[str]:
    """The Secrets that it names."""
    chain, store = environment.spec.chain, environment.spec.store
    refs = [chain.rpc_url_secret, chain.signer_secret] if chain else []
    names = {ref.name for ref in refs if ref}
    return names | ({store.credentials_secret.name} if store.credentials_secret else set())


def _secret(objects: Objects, key: Key) -> Mapping[str, bytes]:
    try:
        return objects.secret(key)
    except NotFound:
        return {}
