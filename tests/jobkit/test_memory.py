"""Large objects pass through in pieces: the peak of a step's memory is far below their size."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jobkit.plan import PLAN_ENV, TERMINATION_LOG_ENV, Plan, StageInput, Store
from tests.jobkit.plans import OWNER, export_plan, folder_store, stage_plan, write
from tests.jobkit.running import OPERATOR
from tests.services.s3 import S3Server

OBJECT_BYTES = 400 * 1024 * 1024
PEAK_BYTES = 250 * 1024 * 1024  # of which about 70 MiB are the interpreter and its libraries
# Of this program alone: getrusage's figure begins with the size of the process that started it.
MEASURE = """
import re, sys
from pathlib import Path
from jobkit.__main__ import main
code = main(sys.argv[1:])
peak_kibibytes = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print("peak", int(peak_kibibytes) * 1024)
sys.exit(code)
"""


def peak_bytes(subcommand: str, plan: Plan, folder: Path, keys: dict[str, str]) -> int:
    (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
    variables = {
        "PYTHONPATH": str(OPERATOR),
        PLAN_ENV: str(folder / "plan.json"),
        TERMINATION_LOG_ENV: str(folder / "report.json"),
        **keys,
    }
    command = [sys.executable, "-c", MEASURE, subcommand]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"peak (\d+)", done.stdout)
    assert found is not None
    return int(found[1])


def sparse(path: Path) -> None:
    with write(path, b"").open("r+b") as file:
        file.truncate(OBJECT_BYTES)


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def place(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Store, dict[str, str], Path]]:
    """The store, its keys, and the folder where its objects lie; nothing large stays."""
    if request.param == "file":
        folder = tmp_path / "store"
        yield folder_store(tmp_path), {}, folder
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        folder = server.folder / server.bucket / tmp_path.name
        store = Store(url=f"s3://{server.bucket}/{tmp_path.name}", endpoint=server.endpoint)
        yield store, server.credentials, folder
    for large in (folder, tmp_path / "inputs", tmp_path / "outputs"):
        shutil.rmtree(large, ignore_errors=True)


def test_fetch(tmp_path: Path, place: tuple[Store, dict[str, str], Path]) -> None:
    store, keys, folder = place
    key = f"uploads/{OWNER}/big"
    sparse(folder / key)
    plan = stage_plan(tmp_path, [StageInput(name="big", kind="file", upload=key)], store)
    peak = peak_bytes("fetch", plan, tmp_path, keys)
    assert (tmp_path / "inputs/big/big").stat().st_size == OBJECT_BYTES
    assert peak < PEAK_BYTES


def test_export(tmp_path: Path, place: tuple[Store, dict[str, str], Path]) -> None:
    store, keys, folder = place
    sparse(tmp_path / "outputs/big")
    peak = peak_bytes("export", export_plan(tmp_path, store=store), tmp_path, keys)
    assert (folder / "jobs/u1/big").stat().st_size == OBJECT_BYTES
    assert peak < PEAK_BYTES
