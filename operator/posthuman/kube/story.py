"""Events: the story that `kubectl describe` tells.

Told in the background, so that no pass waits for it; the name says what is told of whom, so that
the same line is told once however often a pass comes to it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime

from posthuman.api.meta import API_VERSION
from posthuman.errors import PosthumanError
from posthuman.kube.client import Body, KubeClient
from posthuman.kube.names import MANAGER
from posthuman.kube.resources import EVENTS
from posthuman.ports import JobEvent

logger = logging.getLogger(__name__)

MAX_MESSAGE_CHARS = 1000  # the API server refuses more than 1024
CLUSTER_SCOPED_NAMESPACE = "default"  # where the events of cluster-scoped objects go
ALREADY_TOLD = "AlreadyExists"


class Story:
    """Writes Events, best effort."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._writing: set[asyncio.Task[None]] = set()

    def tell(self, event: JobEvent) -> None:
        """Begin to write one line."""
        task = asyncio.create_task(self._write(event))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def finish(self) -> None:
        """Wait for the lines that are being written."""
        await asyncio.gather(*self._writing)

    async def _write(self, event: JobEvent) -> None:
        try:
            await self._client.create(EVENTS, event_manifest(event, datetime.now(UTC)))
        except PosthumanError as error:
            if error.reason != ALREADY_TOLD:
                logger.warning("event %s of %s is lost: %s", event.reason, event.key, error)


def event_manifest(event: JobEvent, now: datetime) -> Body:
    """A core Event, which every kubectl shows."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    namespace = event.key.namespace or CLUSTER_SCOPED_NAMESPACE
    told = f"{event.uid} {event.reason} {event.message}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{event.key.name}.{digest}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": event.kind,
            "name": event.key.name,
            "namespace": event.key.namespace,
            "uid": event.uid,
        },
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "message": event.message[:MAX_MESSAGE_CHARS],
        "source": {"component": MANAGER},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
