"""Which lines of a job's story are warnings: faults are, waits that end by themselves aren't."""

from __future__ import annotations

import msgspec
import pytest

from posthuman.api.job import Phase
from posthuman.api.meta import Condition
from posthuman.jobs.story import story
from tests import builders


@pytest.mark.parametrize(
    ("kind", "status", "reason", "warning"),
    [
        ("Accepted", "True", "Accepted", False),
        ("Accepted", "False", "TimeoutAboveLimit", True),
        ("Accepted", "False", "AssetNotReady", False),
        ("Published", "False", "Sending", False),
        ("Published", "False", "PurseEmpty", True),
        ("Published", "False", "AssetNameTaken", True),
        ("Executed", "False", "OOMKilled", True),
    ],
)
def test_a_fault_is_a_warning_and_a_step_on_the_way_is_not(
    kind: str, status: str, reason: str, warning: bool
) -> None:
    job = builders.job()
    condition = Condition(type=kind, status=status, reason=reason, message="why")
    (line,) = story(job, msgspec.structs.replace(job.status, conditions=(condition,)))
    assert (line.reason, line.message, line.warning) == (reason, "why", warning)


def test_a_failed_job_ends_its_story_with_a_warning() -> None:
    job = builders.job()
    why = Condition(type="Succeeded", status="False", reason="Error", message="exit code 1")
    failed = msgspec.structs.replace(job.status, phase=Phase.FAILED, conditions=(why,))
    (line,) = story(job, failed)
    assert (line.reason, line.message, line.warning) == ("Failed", "exit code 1", True)
