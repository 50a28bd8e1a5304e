"""Tokens a CPU-second of `generate` (batched, sorted by length) against a loop of single prompts.

`python -m benchmarks.generate_throughput`: 64 prompts of 4 to 100 tokens, 64 new tokens each,
greedy, one random Llama of 4 layers, 256 wide, in float32, both ways in one process by turns. The
loop is what one writes by hand: transformers' `generate`, prompt by prompt. Both must give the same
texts. Rates are by one thread's processor time, which other work on the machine changes little.
"""

from __future__ import annotations

import contextlib
import io
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from algorithms.generate.parameters import GenerateParameters
from algorithms.generate.program import continue_all, load_generator
from algorithms.generate.prompts import Given, Prompt, encode
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.ranks import Ranks
from examples.story_data.tiny import byte_tokenizer

Way = Callable[[LoadedModel, Sequence[Prompt]], list[str]]
PROMPTS, NEW_TOKENS, ROUNDS = 64, 64, 2
WARM_UP = 4  # prompts
THREADS = 1  # the processor time of several would count their waiting for each other
ALONE = Ranks(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
WANTED = GenerateParameters(
    max_new_tokens=NEW_TOKENS, temperature=0.0, stream=False, dtype="float32"
)


def main() -> None:
    """Print both rates of each round, and the ratio of their medians."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        model = load_generator(write_model(Path(folder)), WANTED, ALONE)
    prompts = encode(model, uneven_prompts(), WANTED)
    one_round(model, prompts[:WARM_UP])
    rates: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        rates.append(one_round(model, prompts))
        print(
            "loop {:7.1f} tokens/CPU-s   batched {:7.1f} tokens/CPU-s".format(*rates[-1]),
            flush=True,
        )
    ratio = statistics.median(f for _, f in rates) / statistics.median(s for s, _ in rates)
    print(f"batched/loop {ratio:.2f} ({PROMPTS} prompts, {THREADS} thread)")


def write_model(folder: Path) -> Path:
    """Random weights: the time doesn't depend on them."""
    tokenizer = byte_tokenizer()
    tokenizer.eos_token = None
    torch.manual_seed(0)
    make: Any = LlamaForCausalLM
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=None,
    )
    make(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def uneven_prompts() -> list[Given]:
    """A token a letter."""
    dice = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz "
    texts = ["".join(dice.choices(letters, k=dice.randrange(4, 100))) for _ in range(PROMPTS)]
    return [Given(str(number), text) for number, text in enumerate(texts)]


def one_round(model: LoadedModel, prompts: Sequence[Prompt]) -> tuple[float, float]:
    """New tokens a CPU-second of the loop, and of the batches."""
    slow, slow_texts = timed(one_by_one, model, prompts)
    fast, fast_texts = timed(in_batches, model, prompts)
    assert slow_texts == fast_texts, "a batch changed a text"
    return slow, fast


def timed(way: Way, model: LoadedModel, prompts: Sequence[Prompt]) -> tuple[float, list[str]]:
    """New tokens a CPU-second, and the texts; none ends early, for there is no end token."""
    started_at = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        texts = way(model, prompts)
    return len(prompts) * NEW_TOKENS / (time.process_time() - started_at), texts


def in_batches(model: LoadedModel, prompts: Sequence[Prompt]) -> list[str]:
    """As the algorithm does it, its log and its test of padding included."""
    return [line["text"] for line in continue_all(model, prompts, WANTED, ALONE)]


def one_by_one(model: LoadedModel, prompts: Sequence[Prompt]) -> list[str]:
    """As one does it by hand."""
    texts = []
    for prompt in prompts:
        ids = torch.tensor([prompt.tokens], device=model.network.device)
        made = model.network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=0,
        )
        texts.append(model.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True))
    return texts


if __name__ == "__main__":
    main()
