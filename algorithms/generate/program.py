"""Generate: continue each prompt, write generations.jsonl and the report."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from algorithms.generate.parameters import GenerateParameters
from algorithms.shared.failures import BadParameter
from algorithms.shared.inputs import Task
from algorithms.shared.language_model import LanguageModel, arithmetic_dtype, load
from algorithms.shared.progress import Progress
from algorithms.shared.ranks import Ranks, joined_ranks
from algorithms.shared.report import write_report
from algorithms.shared.text import Sample, read_samples

CONFIG: Any = GenerationConfig  # untyped in transformers


def run(task: Task[GenerateParameters]) -> None:
    """Raises the failures of algorithms.shared.failures."""
    with joined_ranks(task.parameters.seed) as ranks:
        prompts = prompts_of(task)
        dtype = arithmetic_dtype(task.parameters.dtype, ranks.device)
        model = load(task.model(), ranks.device, dtype)
        started_at = time.monotonic()
        rows = _continue_all(model, prompts, task.parameters, ranks)
        if ranks.is_first:
            _write(task, rows, len(prompts), time.monotonic() - started_at)


def prompts_of(task: Task[GenerateParameters]) -> list[Sample]:
    """Of the parameters, else of the input."""
    given = task.parameters.prompts
    if given:
        return [Sample(f"prompt:{n}", text) for n, text in enumerate(given, start=1)]
    return read_samples(task.file_input("prompts"), keys=("prompt", "text"))


def _continue_all(
    model: LanguageModel, prompts: Sequence[Sample], wanted: GenerateParameters, ranks: Ranks
) -> list[dict[str, Any]]:
    """Each prompt has a seed of its own, so that the ranks' number changes nothing."""
    model.network.eval()
    mine = ranks.share(list(enumerate(prompts)))
    progress = Progress(len(mine), enabled=ranks.is_first)
    done: list[list[dict[str, Any]]] = []
    for number, prompt in mine:
        torch.manual_seed(wanted.seed + number)
        done.append(continue_prompt(model, prompt, wanted))
        progress.report(len(done), {})
    return [row for rows in ranks.gather(done) for row in rows]


@torch.inference_mode()
def continue_prompt(
    model: LanguageModel, prompt: Sample, wanted: GenerateParameters
) -> list[dict[str, Any]]:
    """Raises BadParameter if prompt and continuation don't fit into the model's context."""
    tokens = _prompt_tokens(model, prompt, wanted)
    network = model.network
    # Of the model's own settings only its special tokens count: what is asked for is what is done.
    network.generation_config = CONFIG()
    inputs = torch.tensor([tokens], device=network.device)
    outputs = network.generate(
        inputs,
        attention_mask=torch.ones_like(inputs),
        generation_config=sampling(model, wanted),
    )
    continuations = [output[len(tokens) :] for output in outputs.tolist()]
    return [_row(model, prompt, number, ids) for number, ids in enumerate(continuations)]


def sampling(model: LanguageModel, wanted: GenerateParameters) -> Any:
    """Temperature 0 is greedy, whatever top-k and top-p say."""
    end = model.end_token
    chosen: dict[str, Any] = {"do_sample": False}
    if wanted.temperature > 0:
        chosen = {
            "do_sample": True,
            "temperature": wanted.temperature,
            "top_k": wanted.top_k,
            "top_p": wanted.top_p,
        }
    return CONFIG(
        max_new_tokens=wanted.max_new_tokens,
        num_return_sequences=wanted.samples_per_prompt,
        eos_token_id=end,
        pad_token_id=0 if end is None else end,
        **chosen,
    )


def _prompt_tokens(model: LanguageModel, prompt: Sample, wanted: GenerateParameters) -> list[int]:
    before = [] if model.first_token is None else [model.first_token]
    tokens = before + model.tokens([prompt.text])[0]
    if len(tokens) + wanted.max_new_tokens > model.context:
        raise BadParameter(
            f"{prompt.id} has {len(tokens)} tokens: with {wanted.max_new_tokens} new ones that is "
            f"more than the model's {model.context}. Shorten it, or lower maxNewTokens."
        )
    return tokens


def _row(model: LanguageModel, prompt: Sample, number: int, ids: list[int]) -> dict[str, Any]:
    end = model.end_token
    ended = end is not None and end in ids
    kept = list(itertools.takewhile(lambda token: token != end, ids))
    return {
        "id": prompt.id,
        "sample": number,
        "prompt": prompt.text,
        "text": model.tokenizer.decode(kept, skip_special_tokens=True),
        "tokens": len(kept),
        "finish": "end" if ended else "length",
    }


def _write(
    task: Task[GenerateParameters], rows: Sequence[dict[str, Any]], prompts: int, seconds: float
) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (task.outputs / "generations.jsonl").write_text("".join(lines), encoding="utf-8")
    tokens = sum(row["tokens"] for row in rows)
    metrics = {
        "prompts": float(prompts),
        "tokens": float(tokens),
        "seconds": round(seconds, 3),
        "tokensPerSecond": round(tokens / seconds, 1),
    }
    write_report(task, metrics)
