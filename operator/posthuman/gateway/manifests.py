"""What of a job's results can be downloaded, as its manifest in the store says.

A manifest never changes under its digest, so the lists are kept in memory, by digest, the least
recently used going first.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import PurePosixPath

import msgspec

from jobkit.manifest import Manifest
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.errors import NotFound, TransientError
from posthuman.gateway.ports import FilesOf

LOGS_FOLDER = "logs/"
MAX_KEPT_FILES = 200_000  # over all lists: about 60 MB

# Upstream's spelling.
OUTPUT, ALGORITHM_LOG, CONFIGURATION_LOG = "output", "algorithmLog", "configrationLog"
FILTERING_LOG, PUBLISH_LOG = "filteringLog", "publishLog"
LOG_TYPES = {
    "algorithm": ALGORITHM_LOG,
    "stage": CONFIGURATION_LOG,
    "configuration": CONFIGURATION_LOG,
    "filter": FILTERING_LOG,
    "export": PUBLISH_LOG,
    "publish": PUBLISH_LOG,
}


class ResultFile(msgspec.Struct, frozen=True):
    """One file that the owner may download."""

    name: str  # within the outputs or the logs, with its folders
    type: str
    size: int  # bytes
    key: str  # in the environment's store
    sha256: str


class ResultLists:
    """The lists of finished jobs."""

    def __init__(self, files_of: FilesOf) -> None:
        self._files_of = files_of
        self._known: OrderedDict[tuple[str, str], tuple[ResultFile, ...]] = OrderedDict()
        self._kept = 0

    async def of(self, job: ComputeJob, environment: ComputeEnvironment) -> tuple[ResultFile, ...]:
        """Empty before the results are in the store. Raises NotFound when they are gone from it,
        TransientError."""
        results = job.status.results
        if results is None:
            return ()
        if is_true(job.status.conditions, "Expired"):
            raise NotFound(
                f"the results of job {job.metadata.name} were deleted, as the environment's "
                "retention says",
                "RetentionOver",
            )
        name = (job.metadata.uid, results.manifest_digest)
        if name in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        files = await self._files_of(environment)
        manifest, digest = await files.manifest(results.prefix)
        if digest != results.manifest_digest:
            raise TransientError(
                f"the manifest of job {job.metadata.name} in the store isn't the one that was "
                "written at its end; ask the operator of this service",
                "ManifestChanged",
            )
        found = downloadable(manifest, results.prefix)
        self._keep(name, found)
        return found

    def _keep(self, name: tuple[str, str], found: tuple[ResultFile, ...]) -> None:
        self._known[name] = found
        self._kept += len(found) + 1
        while self._kept > MAX_KEPT_FILES and len(self._known) > 1:
            _, dropped = self._known.popitem(last=False)
            self._kept -= len(dropped) + 1


def downloadable(manifest: Manifest, prefix: str) -> tuple[ResultFile, ...]:
    """The files of class result, outputs first, each in the order of their paths: their positions
    are the indices of `getResult`. Custody files stay in the environment."""
    results = [found for found in manifest.files if found.file_class == "result"]
    ordered = sorted(results, key=lambda found: (found.path.startswith(LOGS_FOLDER), found.path))
    return tuple(
        ResultFile(
            found.path.removeprefix(LOGS_FOLDER),
            _type_of(found.path),
            found.size,
            f"{prefix.rstrip('/')}/{found.path}",
            found.sha256,
        )
        for found in ordered
    )


def _type_of(path: str) -> str:
    if not path.startswith(LOGS_FOLDER):
        return OUTPUT
    return LOG_TYPES.get(PurePosixPath(path).name.split(".")[0], ALGORITHM_LOG)
