"""A pytest plugin: how long each suite took, beside what it may take on two cores.

It only reports: a slow machine fails no test. The budgets are those of `make test`, warm.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

BUDGET_SECONDS = {
    "algorithms": 900,
    "api": 30,
    "assets": 450,
    "chart": 60,
    "cli": 240,
    "client": 40,
    "cluster": 60,
    "contracts": 90,
    "environments": 5,
    "gateway": 360,
    "jobkit": 60,
    "jobs": 30,
    "receipts": 20,
    "kube": 90,
    "ledger": 60,
    "local": 90,
    "provider": 30,
    "seal": 150,
    "story": 360,
}
_spent: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add set-up, call and tear-down to the suite's time."""
    parts = report.nodeid.split("/")
    suite = parts[1] if len(parts) > 2 else "other"
    _spent[suite] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a suite."""
    terminalreporter.section("time by suite, against its budget")
    for suite, seconds in sorted(_spent.items()):
        budget = BUDGET_SECONDS.get(suite)
        note = "" if budget is None or seconds <= budget else "  over budget"
        limit = f"{budget:>5} s" if budget is not None else "      -"
        terminalreporter.write_line(f"{suite:<14}{seconds:>7.1f} s of {limit}{note}")
