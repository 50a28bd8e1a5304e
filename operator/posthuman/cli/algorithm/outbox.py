"""What was signed but is perhaps not mined yet: in a file, written before anything is sent.

A command that is killed finds it again, and sends the same bytes once more: nothing happens twice.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from posthuman.chain import Transaction
from posthuman.errors import UserError


class Outbox:
    """Of one publication: a signed transaction for each step."""

    def __init__(self, folder: Path, publication_id: str) -> None:
        self._file = folder / f"{publication_id}.json"

    def signed(self, step: str) -> Transaction | None:
        """Raises UserError if the file is damaged."""
        return self._all().get(step)

    def keep(self, step: str, transaction: Transaction) -> None:
        """On the disk when it returns, whole or not at all."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        kept = self._all() | {step: transaction}
        written = self._file.with_suffix(".tmp")
        with written.open("wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        written.replace(self._file)

    def forget(self, step: str) -> None:
        """A transaction that had no effect and never will."""
        kept = {name: found for name, found in self._all().items() if name != step}
        self._file.write_bytes(msgspec.json.encode(kept))

    def _all(self) -> dict[str, Transaction]:
        if not self._file.exists():
            return {}
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Transaction])
        except msgspec.MsgspecError as error:
            raise UserError(f"{self._file} is damaged; remove it ({error})") from error
