"""`jobkit fetch` of a buyer's URI: verified, resumed, and kept away from what is private."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from jobkit import transfer
from jobkit.errors import Fault, UserFault, WorldFault
from jobkit.fetch import fetch
from jobkit.http_source import Retry
from jobkit.plan import StageInput, StagePlan, UriPolicy
from tests.jobkit.http_server import serving
from tests.jobkit.plans import stage_plan, write

QUICK = Retry(attempts=4, first_delay_seconds=0.01)
BIG = os.urandom(300_000)
SHA = hashlib.sha256(BIG).hexdigest()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PART_BYTES", 64 * 1024)


def text(uri: str, sha256: str = "") -> StageInput:
    return StageInput(name="text", kind="dataset", uri=uri, sha256=sha256)


async def refused(plan: StagePlan) -> Fault:
    with pytest.raises(Fault) as caught:
        await fetch(plan, QUICK)
    return caught.value


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_brings_a_file_and_its_parameters(tmp_path: Path) -> None:
    async with serving({"a/corpus.jsonl": BIG}) as server:
        uri = server.url("a/corpus.jsonl?signature=x")
        report = await fetch(stage_plan(tmp_path, [text(uri, SHA)], steps=500), QUICK)
    assert (tmp_path / "inputs/text/corpus.jsonl").read_bytes() == BIG
    assert (tmp_path / "inputs/algoCustomData.json").read_text() == '{"steps":500}'
    assert list(report.details["inputs"]) == [
        {
            "name": "text",
            "kind": "dataset",
            "path": str(tmp_path / "inputs/text"),
            "files": 1,
            "bytes": len(BIG),
            "sha256": SHA,
        }
    ]


async def test_asks_for_ranges_in_parallel(tmp_path: Path) -> None:
    async with serving({"f": BIG}) as server:
        await fetch(stage_plan(tmp_path, [text(server.url("f"))]), QUICK)
    ranges = {asked.partition(" ")[2] for asked in server.requests}
    assert ranges >= {"bytes=0-65535", "bytes=65536-131071", "bytes=262144-299999"}


async def test_sends_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    async with serving({"f": BIG}) as server:
        await fetch(stage_plan(tmp_path, [text(server.url("f"))]), QUICK)
    assert all("Authorization" not in headers for headers in server.headers)
    assert "the-key" not in str(server.headers)


async def test_another_sha256_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with serving({"f": BIG}) as server:
        fault = await refused(stage_plan(tmp_path, [text(server.url("f"), "0" * 64)]))
    assert fault.reason == "ChecksumMismatch"
    assert fault.user_error
    assert SHA in str(fault)
    assert "0" * 64 in str(fault)
    assert list((tmp_path / "inputs/text").iterdir()) == []


async def test_goes_on_where_the_connection_broke(tmp_path: Path) -> None:
    async with serving({"f": BIG}) as server:
        server.drop_after_bytes, server.drops = 10_000, 12
        await fetch(stage_plan(tmp_path, [text(server.url("f"), SHA)]), QUICK)
    assert "f bytes=10000-65535" in server.requests
    assert server.drops == 0


async def test_starts_over_where_the_server_has_no_ranges(tmp_path: Path) -> None:
    async with serving({"f": BIG}) as server:
        server.ranges = False
        server.drop_after_bytes, server.drops = 10_000, 2
        await fetch(stage_plan(tmp_path, [text(server.url("f"), SHA)]), QUICK)
    assert (tmp_path / "inputs/text/f").read_bytes() == BIG


async def test_a_server_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    async with serving({"f": BIG}) as server:
        server.statuses = [503, 429, 500]
        await fetch(stage_plan(tmp_path, [text(server.url("f"), SHA)]), QUICK)


async def test_a_server_that_stays_busy_may_heal_later(tmp_path: Path) -> None:
    async with serving({"f": BIG}) as server:
        server.statuses = [503] * 50
        fault = await refused(stage_plan(tmp_path, [text(server.url("f"))]))
    assert isinstance(fault, WorldFault)
    assert fault.reason == "SourceUnavailable"
    assert "503" in str(fault)
    assert len(server.requests) == QUICK.attempts


async def test_a_file_that_changes_meanwhile_is_not_mixed(tmp_path: Path) -> None:
    async with serving({"f": BIG}) as server:
        server.change_after_requests, server.changed_to = 2, BIG[::-1]
        await fetch(stage_plan(tmp_path, [text(server.url("f"))]), QUICK)
    assert (tmp_path / "inputs/text/f").read_bytes() == BIG[::-1]


async def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    async with serving({"f": b""}) as server:
        await fetch(stage_plan(tmp_path, [text(server.url("f"))]), QUICK)
    assert (tmp_path / "inputs/text/f").read_bytes() == b""


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "InputNotFound"), (410, "InputNotFound"), (403, "InputForbidden")]
)
async def test_a_missing_file_is_the_users_mistake(
    tmp_path: Path, status: int, reason: str
) -> None:
    async with serving({}) as server:
        server.statuses = [status]
        fault = await refused(stage_plan(tmp_path, [text(server.url("f"))]))
    assert (fault.reason, fault.user_error) == (reason, True)
    assert len(server.requests) == 1


async def test_follows_redirects_and_keeps_the_uris_name(tmp_path: Path) -> None:
    async with serving({"blob/7": BIG}) as server:
        server.redirects = {"corpus.txt": "/hop", "hop": server.url("blob/7")}
        await fetch(stage_plan(tmp_path, [text(server.url("corpus.txt"), SHA)]), QUICK)
    assert (tmp_path / "inputs/text/corpus.txt").read_bytes() == BIG


async def test_gives_up_after_five_redirects(tmp_path: Path) -> None:
    async with serving({}) as server:
        server.redirects = {"f": "/f"}
        fault = await refused(stage_plan(tmp_path, [text(server.url("f"))]))
    assert (fault.reason, fault.user_error) == ("TooManyRedirects", True)
    assert len(server.requests) == 6


async def test_a_redirect_to_a_private_address_is_refused(tmp_path: Path) -> None:
    policy = UriPolicy(allowed_schemes=("http",), allowed_private_cidrs=("127.0.0.1/32",))
    async with serving({}) as server, serving({"s": b"secret"}, "127.0.0.2") as private:
        server.redirects = {"f": private.url("s", "127.0.0.2")}
        fault = await refused(stage_plan(tmp_path, [text(server.url("f"))], policy=policy))
    assert fault.reason == "UriRefused"
    assert "127.0.0.2 is not public" in str(fault)
    assert private.requests == []


async def test_a_redirect_to_another_scheme_is_refused(tmp_path: Path) -> None:
    async with serving({}) as server:
        server.redirects = {"f": "file:///etc/passwd"}
        fault = await refused(stage_plan(tmp_path, [text(server.url("f"))]))
    assert fault.reason == "UriRefused"


async def test_a_name_that_is_rebound_reaches_nothing_private(tmp_path: Path) -> None:
    """Each connection goes to the very address that was checked for it."""
    policy = UriPolicy(allowed_schemes=("http",), allowed_private_cidrs=("127.0.0.1/32",))
    answers = iter(["127.0.0.1"])

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return [next(answers, "127.0.0.2")]

    async with serving({"f": BIG}) as server, serving({"f": BIG}, "127.0.0.2", server.port) as own:
        plan = stage_plan(tmp_path, [text(server.url("f", "evil.example"))], policy=policy)
        with pytest.raises(UserFault, match=r"127\.0\.0\.2 is not public"):
            await fetch(plan, QUICK, rebinding)
    assert server.requests[0] == "f bytes=0-0"
    assert own.requests == []


@pytest.mark.parametrize("uri", ["http://127.0.0.1/x", "http://localhost/x", "http://[::1]/x"])
async def test_loopback_is_refused_by_default(tmp_path: Path, uri: str) -> None:
    policy = UriPolicy(allowed_schemes=("http",))
    assert (await refused(stage_plan(tmp_path, [text(uri)], policy=policy))).reason == "UriRefused"


async def test_an_s3_uri_is_refused_with_advice(tmp_path: Path) -> None:
    policy = UriPolicy(allowed_schemes=("https", "s3"))
    fault = await refused(stage_plan(tmp_path, [text("s3://bucket/key")], policy=policy))
    assert fault.reason == "UriRefused"
    assert "posthuman upload" in str(fault)


@pytest.mark.parametrize("name", ["..%2f..%2fescape", "%2e%2e", "a%00b"])
async def test_a_name_that_leaves_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    async with serving({}) as server:
        server.files = dict.fromkeys(("../../escape", "..", "a\0b", ""), b"x")
        try:
            await fetch(stage_plan(tmp_path, [text(server.url(name))]), QUICK)
        except UserFault as fault:
            assert fault.reason in ("UnsafeName", "InputNotFound")
    own = [tmp_path / "staged.json", tmp_path / "inputs/algoCustomData.json"]
    assert all(path.parent.name == "text" for path in files_below(tmp_path) if path not in own)


class TestFiles:
    """`file:` is for `posthuman run` alone, below the manifest's folder."""

    def plan(self, tmp_path: Path, uri: str, root: str | None = None) -> StagePlan:
        file_root = str(tmp_path / "here") if root is None else root
        return stage_plan(tmp_path, [text(uri)], policy=UriPolicy(file_root=file_root))

    @pytest.mark.parametrize("form", ["file:a%20b.txt", "file://{root}/a%20b.txt"])
    async def test_below_the_root_it_is_read(self, tmp_path: Path, form: str) -> None:
        write(tmp_path / "here/a b.txt", BIG)
        await fetch(self.plan(tmp_path, form.format(root=tmp_path / "here")))
        assert (tmp_path / "inputs/text/a b.txt").read_bytes() == BIG

    @pytest.mark.parametrize("uri", ["file:../secret", "file:///etc/hostname", "file:link"])
    async def test_outside_or_through_a_link_it_is_refused(self, tmp_path: Path, uri: str) -> None:
        write(tmp_path / "secret", "x")
        write(tmp_path / "here/a", "x")
        (tmp_path / "here/link").symlink_to(tmp_path / "secret")
        fault = await refused(self.plan(tmp_path, uri))
        assert (fault.reason, fault.user_error) == ("UriRefused", True)

    async def test_in_a_cluster_it_is_refused(self, tmp_path: Path) -> None:
        fault = await refused(self.plan(tmp_path, "file:///etc/hostname", root=""))
        assert fault.reason == "UriRefused"

    async def test_a_missing_one_is_named(self, tmp_path: Path) -> None:
        fault = await refused(self.plan(tmp_path, "file:absent.txt"))
        assert fault.reason == "InputNotFound"
        assert "absent.txt" in str(fault)
