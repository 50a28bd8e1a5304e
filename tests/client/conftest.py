"""One server for all tests of this folder, each with jobs of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from posthuman.client import Gateway, WalletKey
from tests.client.serving import Served, serving
from tests.gateway.people.world import BOB


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


@pytest.fixture
def bob(served: Served) -> Gateway:
    return Gateway(served.url, WalletKey(BOB.key.hex()), poll_seconds=0.01)
