"""The bad job that ends last: its image can't be pulled, which is given a minute to heal.

A module of its own, so that the story is told meanwhile.
"""

from __future__ import annotations

import pytest

from tests.services.world import TENANT, World
from tests.story.bad_jobs import SLOWEST, Bad, check

pytestmark = pytest.mark.cluster


def test_an_image_that_cannot_be_pulled_fails_the_job(world: World, jobs: dict[str, Bad]) -> None:
    check(world, jobs[SLOWEST], world.recorder.finished_job(TENANT, SLOWEST))
