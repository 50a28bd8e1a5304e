"""The client against a real server: submit, wait, download, resume, follow, stop."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from posthuman.api.job import Phase
from posthuman.client import BearerToken, Gateway, WalletKey
from posthuman.client.downloads import Downloaded
from posthuman.errors import NotFound, UserError
from posthuman.gateway.people.examples import TRAIN
from posthuman.gateway.people.job_view import JobDetail
from tests.client.serving import Served, store_of
from tests.gateway.people.world import BOB, FILES, RECEIPT

SPEC = cast(dict[str, object], TRAIN["spec"])
LARGE = {"samples.bin": bytes(range(256)) * 12_000}  # 3 MB


def test_from_submission_to_the_files(served: Served, bob: Gateway, tmp_path: Path) -> None:
    job = bob.submit("train", SPEC)
    assert job.owner == BOB.address
    assert bob.submit("train", SPEC).id == job.id
    phases = []

    def told(seen: JobDetail) -> None:
        phases.append(seen.phase)
        [made] = served.world.access.all_jobs.values()
        if len(phases) == 2:
            served.succeed(made)

    assert bob.wait(job.id, told).phase is Phase.SUCCEEDED
    assert phases == [Phase.PENDING, Phase.PENDING, Phase.SUCCEEDED]
    paths = bob.download(job.id, tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in paths} == set(FILES) - {
        "model/model.safetensors"
    }
    for path in paths:
        assert path.read_bytes() == FILES[str(path.relative_to(tmp_path))]
    assert bob.receipt(job.id) == RECEIPT


def test_lists_come_whole_whatever_the_page(
    served: Served, bob: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posthuman.client.gateway.PAGE", 2)
    for number in range(5):
        served.add_job(f"job-{number}")
    assert {job.name for job in bob.jobs()} == {f"job-{number}" for number in range(5)}
    assert list(bob.jobs(phase="Running")) == []
    assert "a100" in [one.name for one in Gateway(served.url).environments()]
    assert list(bob.assets()) == []


def test_a_download_goes_on_where_it_broke_off(
    served: Served, bob: Gateway, tmp_path: Path
) -> None:
    job = served.succeed(served.add_job(), LARGE)
    store = store_of(served)
    store.breaks_after = [1_000_000, 500_000, 1]
    steps: list[Downloaded] = []
    bob.download(f"ocean.{job.metadata.name}", tmp_path, steps.append)
    assert (tmp_path / "samples.bin").read_bytes() == LARGE["samples.bin"]
    starts = [start for start, end in store.asked if end == len(LARGE["samples.bin"])]
    assert starts[0] == 0
    assert len(starts) == 4
    assert starts == sorted(starts)
    assert starts[-1] > 0
    assert not list(tmp_path.glob("*.part"))


def test_what_is_here_already_is_not_fetched_again(
    served: Served, bob: Gateway, tmp_path: Path
) -> None:
    job = served.succeed(served.add_job(), LARGE)
    bob.download(f"ocean.{job.metadata.name}", tmp_path)
    store_of(served).asked.clear()
    bob.download(f"ocean.{job.metadata.name}", tmp_path)
    assert store_of(served).asked == []


def test_other_bytes_are_not_kept(served: Served, bob: Gateway, tmp_path: Path) -> None:
    job = served.succeed(served.add_job(), LARGE)
    assert job.status.results
    key = f"{job.status.results.prefix}/samples.bin"
    store = store_of(served)
    store.objects[key] = b"x" + store.objects[key][1:]
    with pytest.raises(UserError, match="other bytes"):
        bob.download(f"ocean.{job.metadata.name}", tmp_path)
    assert not (tmp_path / "samples.bin").exists()
    assert not list(tmp_path.glob("*.part"))


def test_no_file_leaves_the_folder(served: Served, bob: Gateway, tmp_path: Path) -> None:
    job = served.succeed(served.add_job(), {"../escaped.txt": b"x"})
    with pytest.raises(UserError, match="could be anywhere"):
        bob.download(f"ocean.{job.metadata.name}", tmp_path / "in")
    assert not (tmp_path / "escaped.txt").exists()


def test_a_log_is_followed_from_the_pod_into_the_store(served: Served, bob: Gateway) -> None:
    access = served.world.access
    job = access.advance(served.add_job(), phase=Phase.RUNNING)
    access.logs[job.metadata.uid] = [b"step 1\n"]
    seen = b""
    for piece in bob.logs(f"ocean.{job.metadata.name}", follow=True):
        seen += piece
        if seen == b"step 1\n":
            served.succeed(job)
    assert seen == FILES["logs/algorithm.log"]
    assert b"".join(bob.logs(f"ocean.{job.metadata.name}")) == seen


def test_stop_and_delete(served: Served, bob: Gateway) -> None:
    job = served.add_job()
    assert bob.stop(f"ocean.{job.metadata.name}").stop_asked
    bob.delete(f"ocean.{job.metadata.name}")
    with pytest.raises(NotFound, match="you have no job"):
        bob.job(f"ocean.{job.metadata.name}")


def test_refusals_are_errors_with_the_servers_sentence(served: Served, bob: Gateway) -> None:
    with pytest.raises(UserError, match='did you mean "parameters"'):
        bob.submit("x", SPEC | {"paramters": {}})
    with pytest.raises(UserError, match="Kubernetes doesn't know this token"):
        list(Gateway(served.url, BearerToken("forged")).jobs())
    with pytest.raises(UserError, match="needs to know who you are"):
        list(Gateway(served.url).jobs())


def test_a_person_with_a_token(served: Served) -> None:
    tina = Gateway(served.url, BearerToken("tina\n"))
    made = tina.submit("mine", SPEC | {"owner": BOB.address}, "bob")
    assert [job.id for job in tina.jobs()] == [made.id] == ["bob.mine"]


@pytest.mark.parametrize("url", ["gateway.example", "ftp://x", "https://", "http://x/?a=b"])
def test_an_url_that_is_none(url: str) -> None:
    with pytest.raises(UserError, match="is no gateway's URL"):
        Gateway(url)


def test_a_key_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("not a key")
    with pytest.raises(UserError, match="64 hex digits"):
        WalletKey.read(tmp_path / "key")
    with pytest.raises(UserError, match="can't be read"):
        WalletKey.read(tmp_path / "absent")
