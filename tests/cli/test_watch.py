"""How far a job is, as a line without a terminal says it."""

from __future__ import annotations

from msgspec import structs

from posthuman.api.job import ComputeJob, JobStatus, Phase, Progress
from posthuman.api.parse import parse
from posthuman.cli.watch import progress_of
from tests.cli.conftest import a_job


def _job(progress: Progress | None) -> ComputeJob:
    job = parse(a_job(), ComputeJob)
    return structs.replace(job, status=JobStatus(phase=Phase.RUNNING, progress=progress))


def test_progress_says_the_loss_where_there_is_one() -> None:
    training = Progress(percent=47.3, eta_seconds=5, metrics={"loss": 3.21987, "tokens": 4})
    assert progress_of(_job(training)) == ["47 %", "loss 3.22", "5 s left"]


def test_progress_says_no_more_than_the_algorithm() -> None:
    assert progress_of(_job(Progress(percent=12))) == ["12 %"]
