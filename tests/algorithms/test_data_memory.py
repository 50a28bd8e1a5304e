"""A text larger than the memory left trains: the kernel itself refuses any more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.models
PROGRAM = """
import json
from benchmarks.tokenising_memory import measure
print(json.dumps([one._asdict() for one in measure(1, limit_megabytes=6, times=10)]))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from /proc")
def test_ten_times_the_text_takes_no_more_memory() -> None:
    """Its 1.8 million tokens alone would take 14 MB as a list."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    small, large = json.loads(done.stdout.splitlines()[-1])
    assert large["tokens"] > 9 * small["tokens"] > 1_000_000
    assert large["peak_megabytes"] < 6
