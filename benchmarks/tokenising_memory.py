"""Does a data set 20 times larger than the memory train, with its peak flat?

`python -m benchmarks.tokenising_memory`: a process loads the libraries and a tiny model, warms up,
and from then on may take `--limit-megabytes` more, which the kernel holds it to (RLIMIT_DATA). It
prepares and trains on a text as large as that limit, and then on one 20 times larger; the peak of
its resident memory above where it stood is measured for each (VmHWM, reset before). Linux only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from algorithms.shared.data.base import DataSpec, Prepared
from algorithms.shared.data.order import row_order
from algorithms.shared.data.prepare import prepare
from algorithms.shared.ranks import Ranks
from algorithms.shared.tasks.base import ModelTask
from algorithms.shared.tasks.causal_lm import CausalLM
from algorithms.shared.tasks.inputs import ModelInputs

MEGABYTE = 2**20
WORDS = ("and", "the", "evening", "morning", "were", "first", "day", "earth", "waters", "light")
STEPS, BATCH_SIZE, LENGTH = 20, 8, 64
ALLOWED_MEGABYTES = 1.0  # that the large text's peak may lie above the small one's: noise


class Measured(NamedTuple):
    """One text, prepared and trained on."""

    text_megabytes: float
    tokens: int
    seconds: float
    peak_megabytes: float  # above what the process held before


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what was measured; 1 if the peak isn't flat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit-megabytes", type=int, default=8)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args(arguments)
    small, large = measure(options.limit_megabytes, options.limit_megabytes, options.times)
    for one in (small, large):
        print(
            f"text {one.text_megabytes:7.0f} MB  {one.tokens:>12,} tokens  {one.seconds:6.1f} s  "
            f"peak {one.peak_megabytes:5.1f} MB above the start (limit {options.limit_megabytes})"
        )
    more = large.peak_megabytes - small.peak_megabytes
    print(f"the text is {options.times} times the limit, its peak {more:+.1f} MB: ", end="")
    print("flat" if more <= ALLOWED_MEGABYTES else "NOT flat")
    return 0 if more <= ALLOWED_MEGABYTES else 1


def measure(text_megabytes: int, limit_megabytes: int, times: int) -> list[Measured]:
    """The text, and one `times` larger, after a warm-up that makes what is made only once.

    From then on this process may take no more than the limit: call it in a process of its own.
    """
    torch.set_num_threads(1)
    task, network = _tiny()
    with tempfile.TemporaryDirectory() as folder:
        _measure_one(Path(folder), 1, task, network)
        _limit(limit_megabytes)
        sizes = (text_megabytes, text_megabytes * times)
        return [_measure_one(Path(folder), size, task, network) for size in sizes]


def _limit(megabytes: int) -> None:
    most = _status("VmData") + megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _measure_one(folder: Path, megabytes: int, task: ModelTask, network: Any) -> Measured:
    file = write_text(folder / "text.jsonl", megabytes)
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, started_at = _status("VmRSS"), time.monotonic()
    spec = DataSpec(length=LENGTH, held_out_samples=10)
    data = prepare(file, task, spec, folder / "scratch", Ranks(0, 1, torch.device("cpu")))
    train(task, network, data)
    return Measured(
        text_megabytes=file.stat().st_size / MEGABYTE,
        tokens=(folder / "scratch" / "data" / data.fingerprint / "tokens.bin").stat().st_size // 2,
        seconds=time.monotonic() - started_at,
        peak_megabytes=(_status("VmHWM") - before) / MEGABYTE,
    )


def train(task: ModelTask, network: Any, data: Prepared) -> None:
    """A few steps on rows from all over the text."""
    optimizer = torch.optim.AdamW(network.parameters())
    order = row_order(len(data.training), seed=1)
    for _ in range(STEPS):
        rows = itertools.islice(order, BATCH_SIZE)
        batch = task.collate([data.training[row] for row in rows])
        loss = task.loss_sum(task.outputs(network, batch), batch) / task.targets(batch)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()


def write_text(file: Path, megabytes: int) -> Path:
    """Samples of about 500 bytes, every one different."""
    with file.open("w") as lines:
        for number in itertools.count():
            words = [WORDS[(number * 7 + place * place) % len(WORDS)] for place in range(100)]
            lines.write(json.dumps({"text": f"{number} {' '.join(words)}"}) + "\n")
            if number % 1000 == 0 and lines.tell() > megabytes * MEGABYTE:
                return file
    raise AssertionError("count() has no end")


def _tiny() -> tuple[ModelTask, Any]:
    """A token a word, so that cutting text takes less of the time."""
    symbols = ["<begin>", "<end>", "<unknown>", *WORDS]
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}
    cutter = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    cutter.pre_tokenizer = WhitespaceSplit()
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(tokenizer_object=cutter, bos_token="<begin>", eos_token="<end>")
    config = LlamaConfig(
        vocab_size=len(symbols),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    network: Any = LlamaForCausalLM
    return CausalLM(ModelInputs(tokenizer)), network(config)


def _status(field: str) -> int:
    """A figure of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{field}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    raise SystemExit(main())
