"""`posthuman operator`: the operator itself, as the chart starts it in its pod."""

from __future__ import annotations

import asyncio
import logging

from posthuman.cli.ending import SUCCEEDED
from posthuman.controller import OperatorSettings, run

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run_operator(settings: OperatorSettings) -> int:
    """Until SIGTERM. Raises UserError where it can't start."""
    logging.basicConfig(level=logging.INFO, format=FORMAT)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # one line an event says nothing
    asyncio.run(run(settings))
    return SUCCEEDED
