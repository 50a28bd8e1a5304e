"""The example's purchase: an order on a real chain, the gateway, real processes, a new asset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.purchase.__main__ import buy
from examples.purchase.lab import BOB_KEY, address_of
from posthuman.cli.app import app

pytestmark = [pytest.mark.chain, pytest.mark.models]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the purchase was made, once for all tests."""
    return tmp_path_factory.mktemp("purchase")


@pytest.fixture(scope="module")
def job(workdir: Path) -> dict[str, Any]:
    """Its last status, as the provider was told it."""
    return buy(workdir)


def test_it_ends_as_finished_with_every_result_downloaded(
    job: dict[str, Any], workdir: Path
) -> None:
    assert (job["status"], job["statusText"]) == (70, "Job finished")
    files = {found["filename"]: found["filesize"] for found in job["results"]}
    assert {"report.json", "loss.csv"} <= files.keys()
    for name, size in files.items():
        assert (workdir / "results" / name).stat().st_size == size


def test_no_weight_is_among_the_results(job: dict[str, Any]) -> None:
    assert not [f for f in job["results"] if f["filename"].startswith("model/")]
    assert not [f for f in job["results"] if f["filename"].endswith(".safetensors")]


def test_the_asset_is_bobs_and_alices_child(job: dict[str, Any], workdir: Path) -> None:
    arguments = ["lineage", job["assetDID"], "--workdir", str(workdir), "-o", "json"]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["owner"] == address_of(BOB_KEY)
    assert [parent["did"] for parent in found["parents"]] == job["inputDID"]
