"""Tokens a second of `train`'s loop, of the bare transformers Trainer and of a loop by hand.

`python -m benchmarks.train_throughput`: one GPT-2 of 4 layers, 256 wide, with 8,192 tokens, in
float32; the same blocks of 128 tokens, 4 a step, AdamW, clipping. The three take turns in one
process, some steps each; the first steps of each turn don't count. One thread, and its seconds of
CPU time: what else runs on the machine doesn't count. Wanted: 0.98 and 0.9.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging

from algorithms.shared.data.base import DataSpec, ExampleStore
from algorithms.shared.data.order import row_order
from algorithms.shared.data.prepare import prepare
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.models.loading import task_of
from algorithms.shared.progress import Progress
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.loop import Hooks, Loop
from algorithms.shared.training.plain import PlainFactory
from algorithms.shared.training.records import StepRecord, TrainingState
from algorithms.shared.training.speed import Figures
from algorithms.train.parameters import TrainParameters
from benchmarks.train_startup import write_text
from examples.story_data.tiny import byte_tokenizer

LENGTH, ROWS, VOCABULARY = 128, 4, 8192
ROUNDS, STEPS, WARM = 6, 12, 2  # WARM: of each turn's steps, which don't count
RATE = 1e-4
ALONE = Ranks(0, 1, torch.device("cpu"))
Turn = Callable[[], list[float]]  # seconds of each step


def main() -> None:
    """Print the rates of each round, and the ratios of the medians of all steps."""
    quiet: Any = logging.disable_progress_bar
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        store = blocks(Path(folder))
        turns = {"train": our_turn(store), "Trainer": trainers_turn(store, Path(folder))}
        turns["by hand"] = hand_turn(store)
        seconds = {name: list[float]() for name in turns}
        for number in range(ROUNDS):
            names = list(turns)[number % 3 :] + list(turns)[: number % 3]  # no one is always first
            for name in names:
                seconds[name] += turns[name]()[WARM:]
            print("  ".join(f"{n} {rate(seconds[n][WARM - STEPS :]):6.0f}" for n in turns))
    report(seconds)


def rate(seconds: list[float]) -> float:
    """Tokens a CPU second, by the median step."""
    return ROWS * LENGTH / statistics.median(seconds)


def report(seconds: dict[str, list[float]]) -> None:
    own = rate(seconds["train"])
    print(f"tokens/s: {', '.join(f'{name} {rate(of):.0f}' for name, of in seconds.items())}")
    print(f"train/Trainer {own / rate(seconds['Trainer']):.3f} (wanted: 0.98)")
    print(f"train/by hand {own / rate(seconds['by hand']):.3f} (wanted: 0.9)")


def network() -> Any:
    """The same for all three."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=256,
        n_layer=4,
        n_head=4,
        use_cache=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    make: Any = GPT2LMHeadModel
    return make(config)


def model() -> LoadedModel:
    made, tokenizer = network(), byte_tokenizer()
    task = task_of("causal-lm", tokenizer, made)
    return LoadedModel(made, tokenizer, task, torch.float32)


def blocks(folder: Path) -> ExampleStore:
    """Tokenised to disk, as `train` has it."""
    text = write_text(folder / "text.jsonl", 400)
    spec = DataSpec(length=LENGTH, seed=0)
    return prepare(text, model().task, spec, folder, ALONE).training


def our_turn(store: ExampleStore) -> Turn:
    """The loop with all that a run has around its steps: progress lines, figures, checkpoints'
    clock (none is due)."""
    taken = model()
    parameters = TrainParameters(batch_size=ROWS, learning_rate=RATE, dtype="float32")
    engine = PlainFactory(parameters, ALONE).engine(taken)

    def turn() -> list[float]:
        stamps: list[float] = []
        progress, figures = Progress(STEPS, enabled=False), Figures()

        def on_step(record: StepRecord, seconds: float) -> None:
            progress.report(record.step, figures.of(record, seconds))
            stamps.append(time.process_time())

        loop = Loop(engine, taken.task, store, parameters, STEPS, ALONE)
        hooks = Hooks(on_step=on_step, save=lambda _: None, due=lambda _: False)
        started_at = time.process_time()
        loop.run(TrainingState(), hooks)
        return differences([started_at, *stamps])

    return turn


def differences(stamps: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(stamps)]


class Stamps(TrainerCallback):
    """When each of Trainer's steps ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.times.append(time.process_time())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.process_time())


def trainers_turn(store: ExampleStore, folder: Path) -> Turn:
    """The script of transformers' examples, bare: labels are the inputs, the model shifts them."""
    rows = [{"input_ids": store[i]["input_ids"][:LENGTH]} for i in range(len(store) - 1)]
    examples: Any = [{**row, "labels": row["input_ids"]} for row in rows]
    trained = network()
    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        max_steps=STEPS,
        per_device_train_batch_size=ROWS,
        learning_rate=RATE,
        weight_decay=0.01,
        lr_scheduler_type="cosine",
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )

    def turn() -> list[float]:
        stamps = Stamps()
        trainer: Any = Trainer(
            model=trained, args=arguments, train_dataset=examples, callbacks=[stamps]
        )
        trainer.train()
        return differences(stamps.times)

    return turn


def hand_turn(store: ExampleStore) -> Turn:
    """What one writes in an afternoon."""
    trained = network().train()
    optimizer = torch.optim.AdamW(trained.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    order = row_order(len(store) - 1, seed=0)

    def step() -> None:
        batch = torch.tensor([store[row]["input_ids"] for row in itertools.islice(order, ROWS)])
        logits = trained(batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    def stamps() -> Iterator[float]:
        yield time.process_time()
        for _ in range(STEPS):
            step()
            yield time.process_time()

    return lambda: differences(list(stamps()))


if __name__ == "__main__":
    main()
