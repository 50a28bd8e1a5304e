"""What the recorder has seen last, as typed objects: for the live table and the story's facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition
from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.api.parse import parse
from posthuman.ports import JobEvent
from tests.story.recorder import Event, Recorder

Seen = TypeVar("Seen", ComputeJob, ModelAsset)
FAILED = frozenset({Phase.FAILED, Phase.STOPPED})


class Mirror:
    """Of one recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def all(self, kind: type[Seen]) -> list[Seen]:
        """Every object of a kind, oldest first."""
        bodies = self._recorder.present(kind.__name__)
        return sorted(
            (parse(body, kind) for body in bodies),
            key=lambda found: found.metadata.creation_timestamp,
        )

    def find(self, kind: type[Seen], key: Key) -> Seen | None:
        """One of them."""
        body = self._recorder.find(kind.__name__, key.namespace, key.name)
        return parse(body, kind) if body else None

    def failure(self, keys: Iterable[Key]) -> str:
        """The sentence of the first job that failed; empty while none has."""
        for key in keys:
            job = self.find(ComputeJob, key)
            if job is not None and job.status.phase in FAILED:
                why = find_condition(job.status.conditions, "Succeeded")
                return f"{key}: {why.message if why else job.status.phase}"
        return ""

    def succeeded(self, key: Key) -> bool:
        """Is the job done, its asset published?"""
        job = self.find(ComputeJob, key)
        return job is not None and job.status.phase is Phase.SUCCEEDED


def told(event: Event) -> JobEvent | None:
    """A line of an object's story, if this is one of ours."""
    body = event.body
    if event.kind != "Event" or body["source"].get("component") != "posthuman-operator":
        return None
    about = body["involvedObject"]
    return JobEvent(
        kind=about["kind"],
        key=Key(about.get("namespace", ""), about["name"]),
        uid=about["uid"],
        reason=body["reason"],
        message=body["message"],
        warning=body["type"] == "Warning",
    )
