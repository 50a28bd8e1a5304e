"""A data set on disk: each token once, the held-out apart, made once, whole or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

from algorithms.shared import first_rank
from algorithms.shared.data.base import DataSpec, Prepared
from algorithms.shared.data.prepare import prepare
from algorithms.shared.failures import BadParameter, EmptyDataset, MalformedDataset
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import ModelTask
from tests.algorithms.byte_tasks import BEGIN, END, PackedTexts, PaddedTexts, tokens_of

pytestmark = pytest.mark.models
ALONE = Ranks(0, 1, torch.device("cpu"))
TEXTS = [f"text number {number}" for number in range(30)]


def written(folder: Path, texts: Sequence[str]) -> Path:
    file = folder / "text.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file


def prepared(file: Path, spec: DataSpec, task: ModelTask | None = None) -> Prepared:
    return prepare(file, task or PackedTexts(), spec, file.parent / "scratch", ALONE)


def test_every_token_but_the_first_is_a_target_once(tmp_path: Path) -> None:
    data = prepared(written(tmp_path, TEXTS), DataSpec(length=7))
    stream = [token for text in TEXTS for token in (BEGIN, *tokens_of(text), END)]
    blocks = [data.training[index]["input_ids"] for index in range(len(data.training))]
    assert [token for block in blocks for token in block[1:]] == stream[1:]
    assert blocks[0][0] == BEGIN
    assert {len(block) for block in blocks[:-1]} == {8}
    assert 2 <= len(blocks[-1]) <= 8
    assert data.samples == 30


@pytest.mark.parametrize(("characters", "blocks"), [(1, 1), (2, 1), (3, 2)])
def test_no_block_is_without_a_target(tmp_path: Path, characters: int, blocks: int) -> None:
    """`<begin>`, one character and `<end>` are two targets; blocks of 3."""
    data = prepared(written(tmp_path, ["x" * characters]), DataSpec(length=3))
    assert len(data.training) == blocks
    with pytest.raises(IndexError):
        data.training[blocks]


def test_padding_keeps_each_example_in_the_order_of_the_file(tmp_path: Path) -> None:
    spec = DataSpec(length=10, packing="pad")
    data = prepared(written(tmp_path, TEXTS[:3]), spec)
    expected = [tokens_of(text)[start : start + 10] for text in TEXTS[:3] for start in (0, 10)]
    assert [data.training[index]["input_ids"] for index in range(6)] == expected
    assert [data.training[index]["start"] for index in range(6)] == [0, 10] * 3
    assert len(data.training) == 6


def test_a_task_that_cannot_be_packed_is_padded_unless_packing_is_asked_for(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, TEXTS)
    assert len(prepared(file, DataSpec(length=100), PaddedTexts()).training) == 30
    with pytest.raises(BadParameter, match="can't be packed"):
        prepared(file, DataSpec(length=100, packing="pack"), PaddedTexts())


def trained_texts(data: Prepared) -> list[str]:
    rows = [data.training[index]["input_ids"] for index in range(len(data.training))]
    return [PaddedTexts().tokenizer.decode(row) for row in rows]


def test_what_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    spec = DataSpec(length=100, packing="pad", held_out_samples=3, seed=1)
    data = prepared(written(tmp_path, TEXTS), spec)
    held_out = [record.fields["text"] for record in data.held_out]
    assert len(held_out) == 3
    assert sorted(trained_texts(data) + held_out) == sorted(TEXTS)
    assert [record.id for record in data.held_out] == [
        f"text.jsonl:{TEXTS.index(text) + 1}" for text in held_out
    ]
    assert data.samples == 27


def test_at_most_a_tenth_is_held_out_and_the_seed_chooses(tmp_path: Path) -> None:
    file = written(tmp_path, TEXTS)
    spec = DataSpec(length=9, held_out_samples=20)
    assert len(prepared(file, spec).held_out) == 3
    choices = {
        tuple(record.id for record in prepared(file, DataSpec(9, "auto", 3, seed)).held_out)
        for seed in range(5)
    }
    assert len(choices) > 1
    assert prepared(written(tmp_path, TEXTS[:9]), spec).held_out == []


def test_it_is_tokenised_once(tmp_path: Path) -> None:
    file, spec = written(tmp_path, TEXTS), DataSpec(length=8, held_out_samples=2)
    first = prepared(file, spec)
    [folder] = (tmp_path / "scratch" / "data").iterdir()
    made_at = {entry.name: entry.stat().st_mtime_ns for entry in folder.iterdir()}
    second = prepared(file, spec)
    assert {entry.name: entry.stat().st_mtime_ns for entry in folder.iterdir()} == made_at
    assert second.fingerprint == first.fingerprint == folder.name
    assert second.held_out == first.held_out


def test_other_content_or_settings_have_another_fingerprint(tmp_path: Path) -> None:
    file = written(tmp_path, TEXTS)
    prints = {
        prepared(file, DataSpec(length=8)).fingerprint,
        prepared(file, DataSpec(length=9)).fingerprint,
        prepared(file, DataSpec(length=8, seed=1)).fingerprint,
        prepared(file, DataSpec(length=8), PaddedTexts()).fingerprint,
        prepared(written(tmp_path, TEXTS[1:]), DataSpec(length=8)).fingerprint,
    }
    assert len(prints) == 5


def test_what_a_call_left_in_the_tokenizer_changes_no_fingerprint(tmp_path: Path) -> None:
    file, task = written(tmp_path, TEXTS), PackedTexts()
    first = prepared(file, DataSpec(length=8), task)
    task.tokenizer(["a", "text"], truncation=True, max_length=3)
    assert prepared(file, DataSpec(length=8), task).fingerprint == first.fingerprint


def test_a_file_cut_short_is_made_anew(tmp_path: Path) -> None:
    file, spec = written(tmp_path, TEXTS), DataSpec(length=8)
    whole = prepared(file, spec)
    expected = [whole.training[index] for index in range(len(whole.training))]
    tokens = next((tmp_path / "scratch").rglob("tokens.bin"))
    tokens.write_bytes(tokens.read_bytes()[:10])
    again = prepared(file, spec)
    assert [again.training[index] for index in range(len(again.training))] == expected


def test_what_a_killed_attempt_left_is_thrown_away(tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "data" / "abc.unfinished"
    left.mkdir(parents=True)
    (left / "tokens.bin").write_bytes(b"half")
    prepared(written(tmp_path, TEXTS), DataSpec(length=8))
    assert not left.exists()


def test_a_malformed_data_set_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    file = written(tmp_path, TEXTS)
    with file.open("a") as more:
        more.write('{"text": 5}\n')
    for _ in range(2):
        with pytest.raises(MalformedDataset, match=r"text\.jsonl, line 31: the column text holds"):
            prepared(file, DataSpec(length=8))
    with pytest.raises(MalformedDataset, match=r"text\.jsonl, line 31: the column text holds"):
        prepared(file, DataSpec(length=8), PaddedTexts())


def test_too_little_text_is_an_empty_data_set(tmp_path: Path) -> None:
    with pytest.raises(EmptyDataset, match="every sample is blank"):
        prepared(written(tmp_path, [" "]), DataSpec(length=8))


T = TypeVar("T")


@dataclass(frozen=True)
class ThreadRanks(Ranks):
    """Two threads as ranks: they meet in `gather`, as processes do."""

    meeting: threading.Barrier
    parts: list[list[Any]]

    def gather(self, items: Sequence[T]) -> list[T]:
        self.parts[self.rank] = list(items)
        self.meeting.wait()
        every: list[T] = [item for part in self.parts for item in part]
        self.meeting.wait()
        return every


def test_the_others_wait_for_the_first_rank_and_read_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_rank, "BEAT_SECONDS", -1)  # a sign of life between any two records
    file, spec = written(tmp_path, TEXTS), DataSpec(length=8, held_out_samples=2)
    parts: list[list[Any]] = [[], []]
    meeting = threading.Barrier(2, timeout=60)
    cpu = torch.device("cpu")
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(
            lambda rank: prepare(
                file, PackedTexts(), spec, tmp_path / "scratch",
                ThreadRanks(rank, 2, cpu, meeting, parts),
            ),
            range(2),
        )  # fmt: skip
    assert first.fingerprint == second.fingerprint
    assert first.held_out == second.held_out
    assert [first.training[n] for n in range(len(first.training))] == [
        second.training[n] for n in range(len(second.training))
    ]
