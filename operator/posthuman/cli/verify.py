"""`posthuman verify`: a receipt, or a published model, against signature, chain and store."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from posthuman.cli.chain_place import ChainPlace
from posthuman.cli.ending import SUCCEEDED, UNCHECKED
from posthuman.cli.evidence import Evidence, StoreWish, opened_evidence
from posthuman.errors import UserError
from posthuman.ledger.reader import open_reader
from posthuman.receipts.verify import Verified, Verifier

DID = re.compile(r"did:op:[0-9a-f]{64}")


def verify_subject(
    subject: str, place: ChainPlace, store: StoreWish, trusted: Sequence[str], as_json: bool
) -> int:
    """`subject`: a DID, or the path of a receipt.json. UNCHECKED where there is no store to look
    into. Raises UserError, NotFound, Mismatch, TransientError."""
    raw = None if DID.fullmatch(subject) else _read(Path(subject))
    with opened_evidence(place, store, trusted) as evidence:
        if not evidence.publishers:
            raise UserError("say whose signature you believe: --trust 0x…, the environment's key")
        found = asyncio.run(_verified(subject, raw, evidence))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        lines = _lines(found, evidence.no_store)
        Console(highlight=False).print("\n".join(lines), soft_wrap=True, markup=False)
    return UNCHECKED if found.unchecked else SUCCEEDED


async def _verified(subject: str, raw: bytes | None, evidence: Evidence) -> Verified:
    reader = open_reader(evidence.chain.url, evidence.chain.spec)
    try:
        verifier = Verifier(reader, evidence.publishers, evidence.store)
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


def _lines(found: Verified, no_store: str) -> list[str]:
    lines = ["what could be checked fits" if found.unchecked else "everything fits"]
    lines += [f"signature: by {found.signer}"] if found.signer else []
    lines += ["no job made it: an upload"] if not found.signer and not found.unchecked else []
    lines += [f"asset: {found.asset} was published with this manifest"] if found.asset else []
    lines += [f"model: {did} is what the job was given" for did in found.models]
    if not found.unchecked:
        lines.append(f"store: {found.files} files, {found.bytes} bytes, in {found.prefix}")
    lines.append(f"manifest: {found.manifest}")
    return [*lines, *(f"NOT CHECKED: {part}: {no_store}" for part in found.unchecked)]
