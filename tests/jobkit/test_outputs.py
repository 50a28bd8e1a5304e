"""What may leave the workspace: regular files, weights as custody, results within their limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobkit.outputs import Found, judge, list_folder
from tests.jobkit.plans import export_plan, write


def found(path: str, size: int) -> Found:
    return Found(root=Path("/outputs"), relative=path, path=path, size=size)


LOG = found("logs/algorithm.log", 10)


def test_lists_regular_files_with_their_class(tmp_path: Path) -> None:
    write(tmp_path / "model/a/w.safetensors", "xyz")
    write(tmp_path / "report.json", "{}")
    listing = list_folder(tmp_path)
    assert [(f.path, f.size, f.file_class) for f in listing.files] == [
        ("model/a/w.safetensors", 3, "custody"),
        ("report.json", 2, "result"),
    ]
    assert listing.skipped == ()


def test_only_the_folder_named_model_is_custody() -> None:
    classes = {p: found(p, 1).file_class for p in ("model/x", "models/x", "a/model/x", "model")}
    assert classes == {
        "model/x": "custody",
        "models/x": "result",
        "a/model/x": "result",
        "model": "result",
    }


def test_follows_no_link_and_takes_nothing_but_regular_files(tmp_path: Path) -> None:
    write(tmp_path / "inputs/weights", "secret")
    outputs = tmp_path / "outputs"
    write(outputs / "fine.txt", "x")
    (outputs / "file-link").symlink_to(tmp_path / "inputs/weights")
    (outputs / "folder-link").symlink_to(tmp_path / "inputs")
    (outputs / "broken-link").symlink_to("nowhere")
    os.mkfifo(outputs / "pipe")
    listing = list_folder(outputs)
    assert [f.path for f in listing.files] == ["fine.txt"]
    assert len(listing.skipped) == 4
    assert sum("link" in line and "it is a link" in line for line in listing.skipped) == 3


def test_names_that_cannot_be_stored_are_left_out_and_said(tmp_path: Path) -> None:
    for name in (b"a\nb", b"\xff\xfe", b"back\\slash", b"manifest.json"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    listing = list_folder(tmp_path)
    assert listing.files == ()
    assert len(listing.skipped) == 4
    assert all(line.isprintable() for line in listing.skipped)


def test_an_absent_folder_is_empty(tmp_path: Path) -> None:
    assert list_folder(tmp_path / "absent").files == ()


def test_within_the_limit_everything_leaves() -> None:
    outputs = [found("report.json", 90), found("model/w", 10_000)]
    verdict = judge(export_plan(Path(), max_result_bytes=100), outputs, [LOG])
    assert (verdict.outcome, verdict.reason) == ("Succeeded", "")
    assert verdict.files == (*outputs, LOG)


def test_above_the_limit_only_logs_leave() -> None:
    outputs = [found("dump.bin", 91), found("small", 1), found("model/w", 10_000)]
    verdict = judge(export_plan(Path(), max_result_bytes=100), outputs, [LOG])
    assert (verdict.outcome, verdict.reason) == ("Failed", "ResultTooLarge")
    assert verdict.files == (LOG,)
    assert "dump.bin (91)" in verdict.message
    assert "102 bytes" in verdict.message
    assert "model/w (" not in verdict.message


def test_logs_count_and_lose_their_beginning() -> None:
    logs = [found("logs/a.log", 70), found("logs/b.log", 70), found("logs/c.log", 1)]
    verdict = judge(export_plan(Path(), max_result_bytes=100), [found("x", 1)], logs)
    assert [(f.path, f.first_byte, f.size) for f in verdict.files] == [
        ("logs/a.log", 0, 70),
        ("logs/b.log", 40, 70),
    ]


def test_no_limit_is_no_limit() -> None:
    assert judge(export_plan(Path()), [found("x", 10**15)], []).outcome == "Succeeded"


def test_success_without_output_is_a_failure() -> None:
    verdict = judge(export_plan(Path()), [], [LOG])
    assert (verdict.outcome, verdict.reason, verdict.files) == ("Failed", "NoOutput", (LOG,))


def test_a_failed_or_stopped_job_needs_no_output() -> None:
    for outcome in ("Failed", "Stopped"):
        verdict = judge(export_plan(Path(), outcome), [], [LOG])
        assert (verdict.outcome, verdict.reason) == (outcome, "")


def test_a_real_log_is_not_replaced_by_an_output_of_its_name() -> None:
    fake = found("logs/algorithm.log", 3)
    assert judge(export_plan(Path()), [fake, found("x", 1)], [LOG]).files[-1] is LOG


def test_what_cannot_be_read_is_left_out_and_said(tmp_path: Path) -> None:
    write(tmp_path / "fine", "x")
    write(tmp_path / "closed", "x").chmod(0)
    write(tmp_path / "folder/inside", "x").parent.chmod(0)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == tmp_path.owner() and parent.is_relative_to("/tmp/"):
            parent.chmod(0o755)
    with as_nobody():
        listing = list_folder(tmp_path)
    (tmp_path / "folder").chmod(0o755)
    assert [f.path for f in listing.files] == ["fine"]
    assert len(listing.skipped) == 2
    assert all("forbids" in line for line in listing.skipped)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything; for a moment be someone else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobkit.outputs.MAX_FILES", 2)
    outputs = [found(name, 1) for name in "abc"]
    verdict = judge(export_plan(Path()), outputs, [LOG])
    assert (verdict.outcome, verdict.reason) == ("Failed", "TooManyFiles")
    assert verdict.files == (LOG,)
    assert judge(export_plan(Path()), outputs[:1], [LOG]).reason == ""
