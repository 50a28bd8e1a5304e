"""What is over on a machine where nobody else will add anything, and what may still come."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from posthuman.api.asset import AssetStatus, ModelAsset
from posthuman.api.job import ComputeJob, JobStatus, Phase
from posthuman.api.meta import Condition
from posthuman.local.objects import Objects
from posthuman.local.outcome import Ending, outcome_of_job
from tests.builders import asset as an_asset
from tests.builders import job as a_job

REFERENCE = {"namespace": "alice", "name": "gpt2"}


def condition(type_: str, status: str, reason: str = "Reason", message: str = "why") -> Condition:
    return Condition(type=type_, status=status, reason=reason, message=message)


def a_stored_job(objects: Objects, *conditions: Condition, **status: Any) -> ComputeJob:
    job = msgspec.structs.replace(a_job(), status=JobStatus(conditions=conditions, **status))
    return objects.create(job)


def named(asset: ModelAsset, namespace: str, name: str, *conditions: Condition) -> ModelAsset:
    meta = msgspec.structs.replace(asset.metadata, namespace=namespace, name=name)
    status = AssetStatus(conditions=conditions)
    return msgspec.structs.replace(asset, metadata=meta, status=status)


@pytest.mark.parametrize(
    ("phase", "accepted", "ending"),
    [
        (Phase.SUCCEEDED, "True", Ending.SUCCEEDED),
        (Phase.FAILED, "True", Ending.FAILED),
        (Phase.STOPPED, "True", Ending.FAILED),
        (Phase.FAILED, "False", Ending.REFUSED),
    ],
)
def test_finished_jobs(phase: Phase, accepted: str, ending: Ending) -> None:
    objects = Objects()
    job = a_stored_job(objects, condition("Accepted", accepted), phase=phase)
    outcome = outcome_of_job(objects, job)
    assert outcome is not None
    assert outcome.ending is ending


def test_a_job_under_way_has_no_outcome() -> None:
    objects = Objects()
    job = a_stored_job(objects, condition("Accepted", "True"), phase=Phase.RUNNING)
    assert outcome_of_job(objects, job) is None


def test_an_environment_that_is_not_there_never_comes() -> None:
    objects = Objects()
    job = a_stored_job(objects, condition("Accepted", "False", "EnvironmentNotFound", "none"))
    outcome = outcome_of_job(objects, job)
    assert outcome is not None
    assert (outcome.ending, outcome.message) == (Ending.REFUSED, "none")


def waiting_for_an_asset(objects: Objects) -> ComputeJob:
    job = a_job(inputs=[{"name": "model", "kind": "model", "assetRef": REFERENCE}])
    status = JobStatus(conditions=(condition("Accepted", "False", "AssetNotFound"),))
    return objects.create(msgspec.structs.replace(job, status=status))


def test_an_asset_that_nobody_makes_never_comes() -> None:
    objects = Objects()
    outcome = outcome_of_job(objects, waiting_for_an_asset(objects))
    assert outcome is not None
    assert outcome.ending is Ending.REFUSED


def test_an_asset_that_is_being_published_may_come() -> None:
    objects = Objects()
    objects.create(named(an_asset(), "alice", "gpt2", condition("Ready", "False")))
    assert outcome_of_job(objects, waiting_for_an_asset(objects)) is None


def test_an_asset_that_was_refused_never_comes() -> None:
    objects = Objects()
    objects.create(named(an_asset(), "alice", "gpt2", condition("Accepted", "False")))
    assert outcome_of_job(objects, waiting_for_an_asset(objects)) is not None


@pytest.mark.parametrize(
    ("phase", "comes"), [(Phase.RUNNING, True), (Phase.PUBLISHING, True), (Phase.FAILED, False)]
)
def test_an_asset_comes_if_the_job_that_makes_it_may_succeed(phase: Phase, comes: bool) -> None:
    objects = Objects()
    maker = a_job(publish={"name": "A model", "description": "Of Alice's job."})
    meta = msgspec.structs.replace(maker.metadata, namespace="alice", name="gpt2")
    status = JobStatus(phase=phase)
    objects.create(msgspec.structs.replace(maker, metadata=meta, status=status))
    assert (outcome_of_job(objects, waiting_for_an_asset(objects)) is None) is comes


def test_a_model_whose_asset_is_refused_is_a_failure() -> None:
    objects = Objects()
    job = a_stored_job(objects, condition("Accepted", "True"), phase=Phase.PUBLISHING)
    key = job.metadata.key
    refused = condition("Accepted", "False", "MetadataTooShort", "the name is too short")
    objects.create(named(an_asset(), key.namespace, key.name, refused))
    outcome = outcome_of_job(objects, job)
    assert outcome is not None
    assert (outcome.ending, outcome.message) == (Ending.FAILED, "the name is too short")
