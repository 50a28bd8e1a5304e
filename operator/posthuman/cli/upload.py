"""`posthuman upload`: a person's own files into an environment's store, and what to write then."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Literal

import msgspec

from posthuman.api.environment import ComputeEnvironment, StoreSpec
from posthuman.api.meta import Key
from posthuman.cli.admitted import admitted
from posthuman.cli.ending import REFUSED, SUCCEEDED
from posthuman.errors import NotFound, UserError
from posthuman.local.documents import read_documents
from posthuman.local.embedded import store_url
from posthuman.local.objects import Objects
from posthuman.store.results import open_results
from posthuman.store.upload import upload

Kind = Literal["model", "dataset", "file"]
CREDENTIALS = {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """Where it lies, and the digest of its manifest (`sha256:…`)."""

    prefix: str
    manifest_digest: str
    kind: Kind

    def snippet(self) -> dict[str, object]:
        """What to paste: an input of a ComputeJob, or the source of a ModelAsset."""
        if self.kind == "model":
            return {"source": {"prefix": self.prefix, "manifestDigest": self.manifest_digest}}
        sha256 = self.manifest_digest.removeprefix("sha256:")
        name = "text" if self.kind == "dataset" else "file"
        return {"name": name, "kind": self.kind, "upload": self.prefix, "sha256": sha256}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A store, and the credentials to write there."""

    store: StoreSpec
    credentials: Mapping[str, str]


def upload_path(
    path: Path, target: Target | None, owner: str, name: str, kind: Kind, as_json: bool
) -> int:
    """Print what to write in a manifest. Raises UserError, TransientError."""
    if target is None:
        return REFUSED
    done = asyncio.run(send(path, target, owner, name or name_of(path), kind))
    if as_json:
        facts = {"prefix": done.prefix, "manifestDigest": done.manifest_digest, **done.snippet()}
        print(json.dumps(facts, indent=2))
    else:
        print(_as_yaml(done))
    return SUCCEEDED


async def send(path: Path, target: Target, owner: str, name: str, kind: Kind) -> Uploaded:
    """Bring it there. Raises UserError, TransientError."""
    results = open_results(target.store, target.credentials)
    with redirect_stdout(sys.stderr):  # what is left out is said there; stdout is the result's
        prefix, digest = await upload(results.objects, owner, name, path, kind)
    return Uploaded(prefix=prefix, manifest_digest=digest, kind=kind)


def target_of(environment: Path | None, workdir: Path) -> Target | None:
    """The environment's store, or the one that `posthuman run` plays; None if it was refused."""
    if environment is None:
        return Target(store=StoreSpec(url=store_url(workdir)), credentials={})
    objects = admitted(read_documents(environment))
    if objects is None:
        return None
    found = objects.all(ComputeEnvironment)
    if len(found) != 1:
        raise UserError(f"{environment} must hold one ComputeEnvironment; it holds {len(found)}")
    return Target(store=found[0].spec.store, credentials=_credentials(objects, found[0]))


def name_of(path: Path) -> str:
    """A name that can stand in a key, from the file's own."""
    return re.sub(r"[^a-z0-9.]+", "-", path.resolve().name.lower()).strip("-.")


def _credentials(objects: Objects, environment: ComputeEnvironment) -> dict[str, str]:
    """From the Secret in the same file, else the person's own AWS_… variables. Raises UserError."""
    spec = environment.spec
    own = {name: os.environ[name] for name in CREDENTIALS.values() if name in os.environ}
    if spec.store.credentials_secret is None or not spec.store.url.startswith("s3:"):
        return own
    try:
        secret = objects.secret(Key(spec.work_namespace, spec.store.credentials_secret.name))
    except NotFound:
        if len(own) == len(CREDENTIALS):
            return own
        raise UserError(
            "the store needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or add "
            f"the Secret {spec.store.credentials_secret.name} to the environment's file"
        ) from None
    return {CREDENTIALS[key]: secret[key].decode() for key in CREDENTIALS if key in secret}


def _as_yaml(done: Uploaded) -> str:
    if done.kind == "model":
        return (
            "# the source of a ModelAsset\n"
            f"source:\n  prefix: {done.prefix}\n  manifestDigest: {done.manifest_digest}\n"
            "# or, without publishing it, an input of a ComputeJob\n"
            f"# - {{name: model, kind: model, upload: {done.prefix}}}"
        )
    fields = ", ".join(f"{name}: {value}" for name, value in done.snippet().items())
    return f"# an input of a ComputeJob\n- {{{fields}}}"
