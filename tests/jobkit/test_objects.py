"""The store's border: a program that used it also ends well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobkit.errors import WorldFault
from jobkit.objects import open_store, put_bytes
from jobkit.plan import Store
from tests.jobkit.running import OPERATOR

USE = """
import asyncio, sys
from jobkit.objects import object_size, open_store, put_bytes, read_range, read_small
from jobkit.plan import Store
async def use():
    store = open_store(Store(url=f"file://{sys.argv[1]}"), {})
    await put_bytes(store, "a", b"content")
    assert await object_size(store, "a") == 7
    assert await read_range(store, "a", 1, 3) == b"on"
    assert await read_small(store, "a") == b"content"
asyncio.run(use())
"""
AT_ONCE, ROUNDS = 4, 6


def test_a_program_that_used_the_store_does_not_abort_at_its_end(tmp_path: Path) -> None:
    """obstore's own coroutines made about one in ten of these end by SIGABRT."""
    codes = []
    for _ in range(ROUNDS):
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", USE, tmp_path], env={"PYTHONPATH": str(OPERATOR)}
            )
            for _ in range(AT_ONCE)
        ]
        codes += [process.wait() for process in processes]
    assert codes == [0] * (AT_ONCE * ROUNDS)


async def test_the_same_fault_is_told_in_the_same_words() -> None:
    """Statuses tell it: words that change with each try would have it written, and tried, anew."""
    nobody = Store(url="s3://bucket/x", endpoint="http://127.0.0.1:9")
    store = open_store(nobody, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    told = []
    for _ in range(2):
        with pytest.raises(WorldFault) as fault:
            await put_bytes(store, "k", b"x")
        told.append(str(fault.value))
    assert told[0] == told[1]
    assert "error sending request" in told[0]
