"""Ocean's own libraries for markets (@oceanprotocol/lib, ddo-js), to read back what we published.

They come from npm, by the committed lock file, once into the cache; no script of theirs is run at
the installation.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from posthuman.ledger.anvil import cache_folder, npm

SOURCES = Path(__file__).parent / "oceanjs"
RUN_SECONDS = 120.0


def installed() -> Path:
    """A folder with node_modules; skips the test where there is no node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("READ-BACK LEFT OUT: node and npm are missing; install Node.js 20 or newer")
    lock = (SOURCES / "package-lock.json").read_bytes()
    home = cache_folder() / f"ocean-js-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not home.exists():
        _install(home)
    return home


def _install(home: Path) -> None:
    """It appears whole or not at all; another process may have been first."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{home.name}-", dir=home.parent) as folder:
        half = Path(folder) / "half"
        half.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, half)
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=half)
        if not home.exists():
            half.rename(home)


async def read_back(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What read_back.mjs finds; `folder`: an empty one. AssertionError with its complaints."""
    (folder / "node_modules").symlink_to(installed() / "node_modules")
    script = shutil.copy(SOURCES / "read_back.mjs", folder)
    node = await asyncio.create_subprocess_exec(
        "node",
        str(script),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_SECONDS):
        said, complaints = await node.communicate(json.dumps(asked).encode())
    assert node.returncode == 0, complaints.decode()[-3000:]
    found: dict[str, Any] = json.loads(said)
    return found
