"""The quickstart's own commands and manifests, taken from its page and followed to the end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.observing import processes_that_name

pytestmark = [pytest.mark.chain, pytest.mark.models]
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "quickstart.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
SET_UP = ("make venv", "export PATH=$PWD/.venv/bin:$PATH")  # has happened where tests run


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE.read_text()) if found == language]


def manifests() -> dict[str, str]:
    """By the name in each one's first line."""
    return {text.partition("\n")[0].removeprefix("# "): text for text in blocks("yaml")}


def commands() -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Where a person followed the page, and what each command printed."""
    folder = tmp_path_factory.mktemp("person")
    (folder / "examples").symlink_to(ROOT / "examples")
    for name, text in manifests().items():
        (folder / name).write_text(text)
    printed: dict[str, str] = {}
    for command in commands():
        if command not in SET_UP and "…" not in command:
            printed[command] = done(command, folder)
    return folder, printed


def done(command: str, folder: Path) -> str:
    """Its stdout; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": f"{ROOT / 'operator'}{os.pathsep}{ROOT}"}
    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def test_the_page_leaves_out_only_what_it_says() -> None:
    left_out = [command for command in commands() if "…" in command]
    assert left_out == ["posthuman lineage did:op:…"]
    assert set(SET_UP) <= set(commands())


def test_the_training_teaches_the_model_something(
    followed: tuple[Path, dict[str, str]],
) -> None:
    _, printed = followed
    shown = printed["posthuman run job.yaml"]
    assert "default/first: Succeeded" in shown
    assert "results: file://" in shown
    before, after = (
        float(re.findall(rf"heldOutLoss{when} ([\d.]+)", shown)[0]) for when in ("Before", "After")
    )
    assert after < before - 1


def test_the_results_are_where_the_page_says(followed: tuple[Path, dict[str, str]]) -> None:
    _, printed = followed
    listed = printed["ls .posthuman/store/jobs/*"].split()
    assert {"loss.png", "loss.csv", "samples.jsonl", "report.json", "model"} <= set(listed)
    [sample] = printed["head -n 1 .posthuman/store/jobs/*/samples.jsonl"].splitlines()
    assert {"prompt", "reference", "before", "after"} <= set(json.loads(sample))
    card = printed["head -n 30 .posthuman/store/jobs/*/model/README.md"]
    assert "library_name: transformers" in card


def test_what_the_uploads_print_is_what_the_manifest_says(
    followed: tuple[Path, dict[str, str]],
) -> None:
    _, printed = followed
    uploads = "".join(text for command, text in printed.items() if "upload" in command)
    named = re.findall(r"upload: (uploads/[\w/.-]+)", manifests()["job.yaml"])
    assert named
    assert all(prefix in uploads for prefix in named)


def test_the_published_model_answers_and_has_a_lineage(
    followed: tuple[Path, dict[str, str]],
) -> None:
    folder, printed = followed
    [line] = printed["cat .posthuman/store/jobs/*/generations.jsonl"].splitlines()
    assert json.loads(line)["prompt"] == "And it came to pass"
    [did] = re.findall(r"asset: (did:op:[0-9a-f]{64})", printed["posthuman run job.yaml"])
    assert "My first model" in done(f"posthuman lineage {did}", folder)
    assert not processes_that_name(str(folder))
