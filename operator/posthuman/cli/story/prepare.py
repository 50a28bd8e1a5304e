"""The story's model and text, and its plot, made by examples/story_data in processes of their own.

torch and matplotlib stay out of this process, and a Ctrl-C ends what is being made.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from posthuman.cli.story.script import CHECKOUT, Pace
from posthuman.errors import TransientError
from posthuman.local.processes import start_process

GRACE_SECONDS = 2.0


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What the people have before the story begins."""

    model: Path
    bob_text: Path
    charlie_text: Path
    held_out: Path


async def prepare(pace: Pace, folder: Path) -> Data:
    """Made in a folder that is there, or taken from the cache. Raises TransientError."""
    model, text = folder / "model", folder / "text"
    await asyncio.gather(
        make(folder / "model.log", "examples.story_data", pace.model, "--out", str(model)),
        make(folder / "text.log", "examples.story_data", "text", "--out", str(text)),
    )
    if pace.samples:
        for file in text.iterdir():
            _shorten(file, pace.samples)
    return Data(
        model=model,
        bob_text=text / "bob.jsonl",
        charlie_text=text / "charlie.jsonl",
        held_out=text / "heldout.jsonl",
    )


def _shorten(file: Path, samples: int) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:samples]))


async def make(log: Path, module: str, *arguments: str) -> None:
    """Run a module of the checkout. Raises TransientError with what it said last."""
    command = [sys.executable, "-m", module, *arguments]
    process = await start_process(command, dict(os.environ), CHECKOUT, log, lambda _line: None)
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate(GRACE_SECONDS)
        await process.wait()
        raise
    if code:
        raise TransientError(f"`{' '.join(command)}` failed: {_last_line(log)} (see {log})")


def _last_line(log: Path) -> str:
    return log.read_text(errors="replace").strip().rpartition("\n")[2]
