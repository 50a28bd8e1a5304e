"""Operators killed and stopped at random moments publish nothing twice, lose nothing, and go on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.assets.chaos import run
from tests.services.chain import Chain

PUBLICATIONS, KILLS = 40, 20


@pytest.mark.cluster
@pytest.mark.chain
@pytest.mark.timeout(580)
async def test_twenty_kills(
    cluster_facts: Mapping[str, str], own_chain: Chain, tmp_path: Path
) -> None:
    seed = int.from_bytes(os.urandom(3))
    outcome = await run(own_chain, PUBLICATIONS, KILLS, seed, tmp_path)
    assert (outcome.doubles, outcome.lost, outcome.stuck) == (0, 0, ()), f"seed {seed}"
    assert outcome.publications == PUBLICATIONS
    assert outcome.kills == KILLS
    assert outcome.kills_of_the_leader
    assert outcome.restored
    assert outcome.transactions >= 4 * PUBLICATIONS
