"""What a container may say to the operator: anything at all, and nothing of it may raise."""

from __future__ import annotations

import pytest

from jobkit.progress import MAX_METRICS, ProgressLine, parse_line
from jobkit.report import decode_report

DEEP = "[" * 1900 + "]" * 1900
DEEPER = "[" * 30_000 + "]" * 30_000  # of the 64 KiB that a line may have
MANY = ",".join(f'"m{number}":1' for number in range(MAX_METRICS + 1))


@pytest.mark.parametrize(
    "line",
    [
        '{"posthuman": []}',
        '{"posthuman": {"progress": 1}}',
        f'{{"posthuman":"progress","percent":1,"x":{DEEPER}}}',
        '{"posthuman":"progress","percent":1e999}',
        '{"posthuman":"failure","reason":"X","message":"\\ud800"}',
    ],
)
def test_a_line_that_is_none_of_ours_is_free_text(line: str) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "fields",
    [f'"step":{"9" * 30}', '"step":-1', f'"totalSteps":{2**63}', f'"metrics":{{{MANY}}}'],
    ids=["huge step", "negative step", "beyond int64", "many metrics"],
)
def test_progress_that_no_status_could_hold_is_not_taken(fields: str) -> None:
    assert isinstance(parse_line('{"posthuman":"progress","percent":1}'), ProgressLine)
    assert parse_line(f'{{"posthuman":"progress","percent":1,{fields}}}') is None


@pytest.mark.parametrize("reason", ["", "two words", "x" * 65, 'A\\n{job=\\"x\\"}'])
def test_a_reason_is_one_word(reason: str) -> None:
    """It becomes a condition's reason and the label of a metric."""
    assert decode_report('{"reason":"Completed"}') is not None
    assert decode_report(f'{{"reason":"{reason}"}}') is None


def test_a_termination_message_of_brackets_is_no_report() -> None:
    assert decode_report(f'{{"reason":"X","details":{{"a":{DEEP}}}}}') is None
