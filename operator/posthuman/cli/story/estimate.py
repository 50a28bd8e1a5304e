"""How long the story still takes: expected seconds a job, corrected by how it went so far. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.cli.story.cast import BOB_TRAINS, CHARLIE_TRAINS, DEREK_GENERATES, ELENA_EVALUATES
from posthuman.cli.story.script import Pace

AROUND_SECONDS = 8.0  # staging, exporting and publishing, with Python's start
GENERATING_SECONDS = 5.0
EVALUATED_MODELS = 3
RUNNING_FROM, RUNNING_SHARE = 0.15, 0.7  # of a job: what lies before its algorithm, and in it
REACHED = {Phase.STAGING: 0.05, Phase.QUEUED: 0.1, Phase.EXPORTING: 0.85, Phase.PUBLISHING: 0.95}
TRUSTED_SECONDS = 10.0  # of expected work done before its pace counts


def expected_seconds(pace: Pace, steps: int) -> dict[Key, float]:
    """Each job on two cores."""
    around = AROUND_SECONDS + pace.seconds_to_load
    training = around + steps * pace.seconds_a_step
    return {
        BOB_TRAINS: training,
        CHARLIE_TRAINS: training,
        DEREK_GENERATES: around + GENERATING_SECONDS,
        ELENA_EVALUATES: around + EVALUATED_MODELS * pace.seconds_to_load,
    }


def seconds_left(
    expected: Mapping[Key, float], jobs: Sequence[ComputeJob], elapsed_seconds: float
) -> float:
    """What isn't done, at the pace of what is."""
    done = sum(expected.get(job.metadata.key, 0.0) * fraction_done(job) for job in jobs)
    slowness = elapsed_seconds / done if done > TRUSTED_SECONDS else 1.0
    return (sum(expected.values()) - done) * slowness


def fraction_done(job: ComputeJob) -> float:
    """Of a whole job, between 0 and 1."""
    phase, progress = job.status.phase, job.status.progress
    if phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED):
        return 1.0
    if phase is Phase.RUNNING:
        percent = progress.percent if progress else 0.0
        return RUNNING_FROM + RUNNING_SHARE * percent / 100
    return REACHED.get(phase, 0.0) if phase else 0.0
