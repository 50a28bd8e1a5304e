"""Names in the work namespace hold but a part of a job's UID: a namesake's things stay its own."""

from __future__ import annotations

from typing import cast

import pytest

from posthuman.errors import Conflict, TransientError
from posthuman.kube.cache import Cache
from posthuman.kube.children import Children
from posthuman.kube.client import ALREADY_EXISTS, Body, KubeClient
from posthuman.kube.lag import UnseenWrites
from posthuman.kube.render import anchor_manifest
from posthuman.kube.resources import Resource
from posthuman.metrics import Metrics
from tests.kube.builders import IMAGES, a_stage, an_anchor


class OthersAnchor:
    """An API server where another job's anchor has the name, and everything else may be made."""

    def __init__(self, job_uid: str) -> None:
        body = anchor_manifest(an_anchor())
        body["metadata"] |= {"uid": "u9", "labels": {"compute.posthuman.network/job-uid": job_uid}}
        self.body = body
        self.made: list[str] = []

    async def create(self, resource: Resource, body: Body) -> Body:
        if body["metadata"]["name"] == self.body["metadata"]["name"]:
            raise Conflict("exists", ALREADY_EXISTS)
        self.made.append(resource.kind)
        return body

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        return self.body


def children(server: OthersAnchor) -> Children:
    cache = Cache(lambda kind, old, new: None, UnseenWrites(Metrics()))
    return Children(cast(KubeClient, server), cache, IMAGES)


async def test_an_anchor_of_another_job_is_never_adopted() -> None:
    server = OthersAnchor("9999")
    ours = children(server)
    with pytest.raises(TransientError, match="another job"):
        await ours.create_anchor(an_anchor())
    with pytest.raises(TransientError, match="another job"):
        await ours.create_step(an_anchor(), a_stage())
    assert server.made == []


async def test_one_s_own_is() -> None:
    server = OthersAnchor(an_anchor().job_uid)
    await children(server).create_anchor(an_anchor())
    assert server.made == ["PersistentVolumeClaim"]
