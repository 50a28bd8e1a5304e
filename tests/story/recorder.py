"""Everything that happens to some kinds of objects, in the order in which it happened.

kubectl watches, one process a kind; the resourceVersion is etcd's revision, one counter for all
kinds, so events of different watches can be put in one order.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from posthuman.api.job import FINISHED
from tests.cluster.binaries import program
from tests.cluster.layout import KUBECONFIG

CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED"})  # and bookmarks, which say nothing

Body = Mapping[str, Any]


class Event(NamedTuple):
    """One change; `revision` orders changes of all kinds."""

    revision: int
    change: str  # ADDED, MODIFIED, DELETED
    body: Body

    @property
    def kind(self) -> str:
        """Pod, ComputeJob, …"""
        return str(self.body["kind"])

    @property
    def namespace(self) -> str:
        """Empty for what has none."""
        return str(self.body["metadata"].get("namespace", ""))

    @property
    def name(self) -> str:
        """Within its namespace."""
        return str(self.body["metadata"]["name"])


class Recorder:
    """Records while the block lasts, and lets a test wait for what it wants to see."""

    def __init__(self, *resources: str, on_event: Callable[[Event], None] | None = None) -> None:
        self._resources = resources
        self._on_event = on_event
        self._events: list[Event] = []
        self._now: dict[tuple[str, str, str], Body] = {}
        self._changed = threading.Condition()
        self._watches: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for resource in self._resources:
            watch = subprocess.Popen(_command(resource), stdout=subprocess.PIPE, text=True)
            thread = threading.Thread(target=self._read, args=(watch.stdout,), daemon=True)
            thread.start()
            self._watches.append(watch)
            self._threads.append(thread)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for watch in self._watches:
            watch.terminate()
            watch.wait()
        for thread in self._threads:
            thread.join()

    def events(self, kind: str = "") -> list[Event]:
        """All so far, in order; of one kind if it is named."""
        with self._changed:
            found = [event for event in self._events if kind in ("", event.kind)]
        return sorted(found, key=lambda event: event.revision)

    def find(self, kind: str, namespace: str, name: str) -> Body | None:
        """The object as it is now, as far as is known."""
        with self._changed:
            return self._now.get((kind, namespace, name))

    def present(self, kind: str) -> list[Body]:
        """Every object of a kind that is there now."""
        with self._changed:
            return [body for (known, _, _), body in self._now.items() if known == kind]

    def wait(self, holds: Callable[[], bool], timeout_seconds: float, what: str) -> None:
        """Until the condition holds, which is looked at after each change."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while not holds():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise AssertionError(f"not within {timeout_seconds:.0f} s: {what}")

    def finished_job(self, namespace: str, name: str, timeout_seconds: float = 180) -> Body:
        """The ComputeJob, once it is finished."""

        def job() -> Body:
            return self.find("ComputeJob", namespace, name) or {}

        def finished() -> bool:
            return job().get("status", {}).get("phase") in FINISHED

        try:
            self.wait(finished, timeout_seconds, f"the end of job {namespace}/{name}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is at {job().get('status')}") from None
        return job()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:  # one document a line
            document = json.loads(line)
            if document["type"] not in CHANGES:
                continue
            body = document["object"]
            event = Event(int(body["metadata"]["resourceVersion"]), document["type"], body)
            self._take(event)
            if self._on_event is not None:
                self._on_event(event)

    def _take(self, event: Event) -> None:
        key = (event.kind, event.namespace, event.name)
        with self._changed:
            self._events.append(event)
            if event.change == "DELETED":
                self._now.pop(key, None)
            else:
                self._now[key] = event.body
            self._changed.notify_all()


def _command(resource: str) -> list[str]:
    kubectl = [str(program("kubectl")), "--kubeconfig", str(KUBECONFIG)]
    watch = ["--watch", "--output-watch-events", "-o", "json"]
    return [*kubectl, "get", resource, "--all-namespaces", *watch]
