"""Outputs that are meant to do harm: an export must end whatever an algorithm leaves behind.

An export that fails is tried again for ever, since stores heal: outputs that made it fail would
keep the job's workspace for ever.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobkit import outputs
from jobkit.errors import UserFault
from jobkit.export import export
from jobkit.manifest import Manifest, decode_manifest
from jobkit.models import inspect_model
from jobkit.outputs import list_folder
from tests.jobkit.plans import export_plan, write

DEEP = "[" * 20_000 + "]" * 20_000


async def exported(folder: Path) -> Manifest:
    await export(export_plan(folder))
    return decode_manifest((folder / "store/jobs/u1/manifest.json").read_bytes())


def a_tensor_file(shape: list[int]) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    return len(header).to_bytes(8, "little") + header


async def test_a_report_of_brackets_gives_no_metrics(tmp_path: Path) -> None:
    write(tmp_path / "outputs/report.json", f'{{"metrics": {{"a": {DEEP}}}}}')
    assert (await exported(tmp_path)).metrics == {}


NO_UTF8 = b'{"metrics": {"a\xff": 1}, "model_type": "gpt2\xff"}'
NO_UTF8_HEADER = b'{"a\xff": {}}'


async def test_a_report_that_is_no_text_gives_no_metrics(tmp_path: Path) -> None:
    write(tmp_path / "outputs/report.json", "")
    (tmp_path / "outputs/report.json").write_bytes(NO_UTF8)
    assert (await exported(tmp_path)).metrics == {}


@pytest.mark.parametrize(
    ("config", "header"), [(NO_UTF8, b"{}"), (b'{"model_type": "gpt2"}', NO_UTF8_HEADER)]
)
async def test_a_model_that_is_no_text_is_no_model(
    tmp_path: Path, config: bytes, header: bytes
) -> None:
    folder = tmp_path / "outputs/model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(config)
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert (await exported(tmp_path)).model is None


def test_a_manifest_that_is_no_text_is_none() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_manifest(b'{"outcome": "\xff"}')


async def test_metrics_are_figures_and_not_many(tmp_path: Path) -> None:
    """They are published in a DDO: the operator pays for each byte of it."""
    many: dict[str, Any] = {f"m{number}": 1.5 for number in range(1000)}
    odd = {"text": "x" * 9000, "list": [1, 2], "x" * 9000: 1, "huge": 10**30, "yes": True}
    report = {"metrics": {**odd, **many}, "versions": {"torch": "v" * 9000, "odd": [1]}}
    write(tmp_path / "outputs/report.json", json.dumps(report))
    manifest = await exported(tmp_path)
    assert 200 < len(manifest.metrics) <= 256
    assert set(manifest.metrics.values()) == {1.5}
    assert len(manifest.versions["torch"]) == 200 and list(manifest.versions) == ["torch"]


@pytest.mark.parametrize("shape", [[2**62, 2**62], [2**30, 2**30], [-1]])
async def test_a_model_of_impossible_size_is_no_model(tmp_path: Path, shape: list[int]) -> None:
    write(tmp_path / "outputs/model/config.json", '{"model_type": "gpt2"}')
    write(tmp_path / "outputs/model/model.safetensors", a_tensor_file(shape))
    assert (await exported(tmp_path)).model is None


def test_a_config_of_brackets_is_no_config(tmp_path: Path) -> None:
    write(tmp_path / "config.json", f'{{"a": {DEEP}}}')
    write(tmp_path / "model.safetensors", a_tensor_file([1]))
    with pytest.raises(UserFault, match="its config"):
        inspect_model(tmp_path, ["config.json", "model.safetensors"])


async def test_folders_deeper_than_a_path_is_long_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "outputs/good.txt", "x")
    (tmp_path / "outputs").mkdir(exist_ok=True)
    descriptor = os.open(tmp_path / "outputs", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("a", dir_fd=descriptor)
        below = os.open("a", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    listing = list_folder(tmp_path / "outputs")
    assert [file.path for file in listing.files] == ["good.txt"]
    assert "too long" in listing.skipped[0]
    _remove_deep(tmp_path / "outputs")


def test_a_name_too_long_for_a_store_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "/".join(["d" * 200] * 5) / "x", "x")
    listing = list_folder(tmp_path)
    assert not listing.files
    assert "too long" in listing.skipped[0]


async def test_a_flood_of_logs_is_refused_and_the_real_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "MAX_FILES", 20)
    monkeypatch.setattr(outputs, "MAX_LOGS", 5)
    for number in range(15):
        write(tmp_path / f"logs/a{number}", "x")
        write(tmp_path / f"outputs/b{number}", "x")
    write(tmp_path / "logs/algorithm.log", "step 1")
    manifest = await exported(tmp_path)
    assert manifest.outcome == "Failed"
    paths = [file.path for file in manifest.files]
    assert len(paths) == 5 and "logs/algorithm.log" in paths


def _remove_deep(folder: Path) -> None:
    """pytest's own clean-up can't: it names each folder by its whole path."""
    top = folder / "a"
    while top.exists():
        below, moved = top / "a", folder / "b"
        if below.exists():
            below.rename(moved)
        top.rmdir()
        if moved.exists():
            moved.rename(top)
