"""A job's log as it is written: from its running pod, gone on where it broke off, to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from posthuman.api.job import FINISHED
from posthuman.client.transport import BROKEN, Transport, path_to
from posthuman.errors import NotFound
from posthuman.gateway.people.job_view import JobDetail

PIECE_BYTES = 64 * 1024
NOT_YET = "NoLogYet"


def log_of(
    transport: Transport,
    look: Callable[[str], JobDetail],
    job_id: str,
    follow: bool,
    poll_seconds: float,
) -> Iterator[bytes]:
    """Each byte of an attempt once. Raises NotFound where there is none and it isn't followed."""
    if not follow:
        yield from _rest(transport, job_id, 0, follow=False)
        return
    attempt, shown = 0, 0
    while True:
        job = look(job_id)
        if len(job.attempts) != attempt:
            attempt, shown = len(job.attempts), 0
        try:
            for piece in _rest(transport, job_id, shown, follow=True):
                shown += len(piece)
                yield piece
        except NotFound as error:
            if error.reason != NOT_YET and job.phase in FINISHED:
                return
        if job.phase in FINISHED:
            return
        transport.sleep(poll_seconds)


def _rest(transport: Transport, job_id: str, shown: int, follow: bool) -> Iterator[bytes]:
    """What comes after the first `shown` bytes, until it breaks off."""
    path = path_to("jobs", job_id, "logs") + ("?follow=true" if follow else "")
    with transport.open("GET", path) as response:
        try:
            while piece := response.read1(PIECE_BYTES):
                new = piece[shown:]
                shown = max(0, shown - len(piece))
                if new:
                    yield new
        except BROKEN:
            return
