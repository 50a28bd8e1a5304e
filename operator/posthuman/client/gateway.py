"""What can be asked of a gateway, each in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from posthuman.api.job import FINISHED
from posthuman.client.credentials import Credentials
from posthuman.client.downloads import Downloaded, fetch
from posthuman.client.logs import log_of
from posthuman.client.transport import Transport, path_to
from posthuman.gateway.people.job_view import FilePage, FileView, JobDetail, JobPage, JobView
from posthuman.gateway.people.offer_view import (
    AssetPage,
    AssetView,
    EnvironmentPage,
    EnvironmentView,
)

POLL_SECONDS = 2.0
PAGE = 200

Item = TypeVar("Item")
ItemOf = TypeVar("ItemOf", covariant=True)
Told = Callable[[JobDetail], None]


class _Page(Protocol[ItemOf]):
    """A part of a list."""

    @property
    def items(self) -> list[Any]: ...
    @property
    def continue_(self) -> str: ...


class Gateway:
    """One gateway, asked as one caller; without credentials only for its environments.

    Every method may raise NotFound, UserError (what was asked is refused, and why) or, after
    several tries, TransientError.
    """

    def __init__(
        self, url: str, credentials: Credentials | None = None, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._transport = Transport(url, credentials)
        self._poll_seconds = poll_seconds

    def environments(self) -> list[EnvironmentView]:
        """Where jobs can run."""
        return list(self._all("environments", EnvironmentPage, {}))

    def assets(self, **filters: str) -> Iterator[AssetView]:
        """Models; `filters`: environment, owner."""
        return self._all("assets", AssetPage, filters)

    def jobs(self, **filters: str) -> Iterator[JobView]:
        """Yours, newest first; `filters`: phase, environment, owner, namespace."""
        return self._all("jobs", JobPage, filters)

    def submit(self, name: str, spec: Mapping[str, Any], namespace: str = "") -> JobDetail:
        """Make a job; the same again is the same job."""
        asked = {"name": name, "spec": spec} | ({"namespace": namespace} if namespace else {})
        raw = self._transport.call("POST", path_to("jobs"), msgspec.json.encode(asked))
        return msgspec.json.decode(raw, type=JobDetail)

    def job(self, job_id: str) -> JobDetail:
        """As it is now."""
        raw = self._transport.call("GET", path_to("jobs", job_id))
        return msgspec.json.decode(raw, type=JobDetail)

    def wait(self, job_id: str, told: Told | None = None) -> JobDetail:
        """Until it has finished; `told` sees it each time it was looked at."""
        while True:
            job = self.job(job_id)
            if told:
                told(job)
            if job.phase in FINISHED:
                return job
            self._transport.sleep(self._poll_seconds)

    def stop(self, job_id: str) -> JobDetail:
        """End it; what it wrote is kept."""
        raw = self._transport.call("POST", path_to("jobs", job_id, "stop"))
        return msgspec.json.decode(raw, type=JobDetail)

    def delete(self, job_id: str) -> None:
        """Forget it; its files stay in the store."""
        self._transport.call("DELETE", path_to("jobs", job_id))

    def results(self, job_id: str) -> list[FileView]:
        """The files that can be downloaded."""
        return list(self._all(f"jobs/{job_id}/results", FilePage, {}))

    def download(
        self, job_id: str, folder: Path, told: Callable[[Downloaded], None] | None = None
    ) -> list[Path]:
        """All of them into `folder`; what is there already, with the right digest, isn't fetched
        again, and what broke off goes on where it was."""
        return [
            fetch(self._transport, job_id, file, folder, told or _nobody)
            for file in self.results(job_id)
        ]

    def logs(self, job_id: str, follow: bool = False) -> Iterator[bytes]:
        """What the algorithm wrote, in pieces; `follow`: until the job has finished."""
        return log_of(self._transport, self.job, job_id, follow, self._poll_seconds)

    def receipt(self, job_id: str) -> bytes:
        """receipt.json, for `posthuman verify`."""
        return self._transport.call("GET", path_to("jobs", job_id, "receipt"))

    def _all(
        self, path: str, page: type[_Page[Item]], filters: Mapping[str, str]
    ) -> Iterator[Item]:
        asked = {name: value for name, value in filters.items() if value} | {"limit": str(PAGE)}
        more = ""
        while True:
            query = urlencode(asked | ({"continue": more} if more else {}))
            raw = self._transport.call("GET", f"{path_to(path)}?{query}")
            found = msgspec.json.decode(raw, type=page)
            yield from found.items
            more = found.continue_
            if not more:
                return


def _nobody(step: Downloaded) -> None:
    """Nobody wants to know."""
