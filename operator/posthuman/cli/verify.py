"""`posthuman verify`: a receipt, or a published model, against signature, kept chain and store."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
from rich.console import Console

from posthuman.api.environment import StoreSpec
from posthuman.cli.ending import SUCCEEDED, said
from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.reader import open_reader
from posthuman.local.chain import SIGNER_KEY, EmbeddedChain, embedded_chain, has_chain
from posthuman.local.embedded import store_url
from posthuman.local.lock import locked
from posthuman.receipts.verify import Verified, Verifier
from posthuman.store.results import open_results

DID = re.compile(r"did:op:[0-9a-f]{64}")


def verify_subject(subject: str, workdir: Path, as_json: bool) -> int:
    """`subject`: a DID, or the path of a receipt.json. Raises UserError, NotFound, Mismatch."""
    raw = None if DID.fullmatch(subject) else _read(Path(subject))
    if not has_chain(workdir / "chain"):
        raise UserError(
            f"{workdir} holds no chain to check against: name the --workdir of a run that "
            "published something (of `make demo`: .demo)"
        )
    said.print("starting the kept chain (about 1 s)")
    with locked(workdir), embedded_chain(workdir / "chain") as chain:
        found = asyncio.run(_verified(subject, raw, chain, workdir))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        Console(highlight=False).print("\n".join(_lines(found)), soft_wrap=True, markup=False)
    return SUCCEEDED


async def _verified(
    subject: str, raw: bytes | None, chain: EmbeddedChain, workdir: Path
) -> Verified:
    reader = open_reader(chain.url, chain.spec)
    store = open_results(StoreSpec(url=store_url(workdir)), {})
    try:
        verifier = Verifier(reader, frozenset({account_of(SIGNER_KEY).address}), store)
        return await (verifier.asset(subject) if raw is None else verifier.receipt(raw))
    finally:
        await reader.close()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(
            f'"{file}" is no DID (did:op: and 64 hex digits) and no file that can be read: '
            f"{error.strerror}"
        ) from error


def _lines(found: Verified) -> list[str]:
    lines = ["everything fits"]
    lines += [f"signature: by {found.signer}"] if found.signer else ["no job made it: an upload"]
    lines += [f"asset: {found.asset} was published with this manifest"] if found.asset else []
    lines += [f"model: {did} is what the job was given" for did in found.models]
    lines.append(f"store: {found.files} files, {found.bytes} bytes, in {found.prefix}")
    return [*lines, f"manifest: {found.manifest}"]
