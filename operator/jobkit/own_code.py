"""Code that a job brings as a file: written executable, and only if it is the code agreed on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobkit.errors import Fault, UserFault
from jobkit.origins import ALGORITHM_FILE
from jobkit.plan import StageAlgorithm
from jobkit.staged import StagedCode
from jobkit.transfer import Received, disk_errors

REASON_PREFIX = "Algorithm"
EXECUTABLE = 0o755  # an entrypoint may be the file itself


@contextmanager
def told_of_algorithm() -> Iterator[None]:
    """A fault in bringing the code says so in its reason, `AlgorithmForbidden` for one: whoever
    reads it looks elsewhere than for a fault of the data."""
    try:
        yield
    except Fault as fault:
        if not fault.reason.startswith(REASON_PREFIX):
            fault.reason = REASON_PREFIX + fault.reason.removeprefix("Input")
            fault.args = (f"algorithm: {fault}",)
        raise


def write_code(folder: Path, code: bytes) -> Received:
    """Code that lay in a Secret."""
    target = folder / ALGORITHM_FILE
    with disk_errors(target):
        folder.mkdir(parents=True, exist_ok=True)
        target.write_bytes(code)
    return Received(sha256=hashlib.sha256(code).hexdigest(), size=len(code))


def accept_code(wanted: StageAlgorithm, folder: Path, files: list[Received]) -> StagedCode:
    """The record of it. Raises UserFault (AlgorithmNotTrusted) for code that isn't what it must be:
    it is removed, so that no step can run it."""
    target = folder / ALGORITHM_FILE
    checksum = "".join(file.sha256 for file in files)
    if wanted.files_checksum and checksum != wanted.files_checksum.lower():
        target.unlink()
        raise UserFault(
            "AlgorithmNotTrusted",
            f"the files of {wanted.did or 'the algorithm'} have the checksum {checksum}, and the "
            f"inputs' owner trusts {wanted.files_checksum}: they were changed since; ask the owner "
            "to trust them anew",
        )
    with disk_errors(target):
        target.chmod(EXECUTABLE)
    one = files[0].sha256 if len(files) == 1 else hashlib.sha256(checksum.encode()).hexdigest()
    return StagedCode(did=wanted.did, digest=f"sha256:{one}")
