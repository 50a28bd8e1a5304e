"""A URI that came in a Secret: brought like any other, and never told to anybody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobkit.errors import Fault
from jobkit.fetch import fetch
from jobkit.http_source import Retry
from jobkit.plan import StageAlgorithm, StageInput, StagePlan, UriPolicy
from jobkit.staged import read_staged
from tests.jobkit.http_server import serving
from tests.jobkit.plans import stage_plan

QUICK = Retry(attempts=2, first_delay_seconds=0.01)
CONTENT = os.urandom(100_000)
PATH = "c0ffee/corpus.jsonl"
SECRETS = ("c0ffee", "X-Signature")


def hidden(folder: Path, uri: str, policy: UriPolicy | None = None, **fields: Any) -> StagePlan:
    (folder / "private").mkdir()
    (folder / "private" / "input-text-uri").write_text(uri + "\n")
    text = StageInput(name="text", kind="dataset", uri_file="input-text-uri", **fields)
    plan = stage_plan(folder, [text], policy=policy)
    return msgspec.structs.replace(plan, private_dir=f"{folder}/private")


async def test_it_is_brought_under_the_input_s_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with serving({PATH: CONTENT}) as server:
        report = await fetch(hidden(tmp_path, server.url(PATH + "?X-Signature=1")), QUICK)
    assert (tmp_path / "inputs/text/text.jsonl").read_bytes() == CONTENT
    told = f"{report} {read_staged(tmp_path / 'staged.json')} {capfd.readouterr()}"
    assert not any(secret in told for secret in SECRETS)


@pytest.mark.parametrize(
    "trouble",
    ["gone", "forbidden", "busy", "redirects", "refused", "dropped", "changed", "s3", "nonsense"],
)
async def test_no_failure_tells_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], trouble: str
) -> None:
    policy = UriPolicy(allowed_schemes=("http",)) if trouble == "refused" else None
    async with serving({PATH: CONTENT}) as server:
        uri = server.url(PATH + "?X-Signature=1")
        if trouble == "gone":
            server.files = {}
        elif trouble == "forbidden":
            server.statuses = [403]
        elif trouble == "busy":
            server.statuses = [503] * 9
        elif trouble == "redirects":
            server.redirects = {PATH: uri}
        elif trouble == "dropped":
            server.drop_after_bytes, server.drops, server.ranges = 10, 99, False
        elif trouble == "changed":
            server.change_after_requests, server.changed_to = 1, b"other"
            server.drop_after_bytes, server.drops = 3, 99
        elif trouble == "s3":
            uri = "s3://c0ffee/X-Signature"
        elif trouble == "nonsense":
            uri = "http://[c0ffee:X-Signature"
        with pytest.raises(Fault) as caught:
            await fetch(hidden(tmp_path, uri, policy), QUICK)
    told = f"{caught.value} {capfd.readouterr()}"
    assert not any(secret in told for secret in SECRETS)


async def test_a_secret_that_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="the Secret's value is empty"):
        await fetch(hidden(tmp_path, ""), QUICK)


async def test_a_private_file_that_is_not_there_is_no_mistake_of_the_user_s(
    tmp_path: Path,
) -> None:
    plan = msgspec.structs.replace(hidden(tmp_path, "x"), private_dir=f"{tmp_path}/nowhere")
    with pytest.raises(Fault) as caught:
        await fetch(plan, QUICK)
    assert (caught.value.reason, caught.value.user_error) == ("PrivateFileMissing", False)


async def test_code_from_a_secret_and_from_a_uri(tmp_path: Path) -> None:
    code = b"#!/bin/sh\necho hello\n"
    async with serving({"run.sh": code}) as server:
        for wanted in (
            StageAlgorithm(code_file="algorithm-code"),
            StageAlgorithm(uri=server.url("run.sh")),
        ):
            folder = tmp_path / ("uri" if wanted.uri else "secret")
            (folder / "private").mkdir(parents=True)
            (folder / "private" / "algorithm-code").write_bytes(code)
            plan = msgspec.structs.replace(
                stage_plan(folder, []),
                algorithm=wanted,
                private_dir=f"{folder}/private",
                transformations_dir=f"{folder}/transformations",
            )
            await fetch(plan, QUICK)
            brought = folder / "transformations" / "algorithm"
            assert brought.read_bytes() == code
            assert os.access(brought, os.X_OK)
