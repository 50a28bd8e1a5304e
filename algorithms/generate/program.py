"""Generate: continue the prompts in batches, write generations.jsonl and the report."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from algorithms.generate.batches import Row, batches, by_length
from algorithms.generate.decoding import Decoder
from algorithms.generate.padding import ignores_padding
from algorithms.generate.parameters import GenerateParameters, refuse_contradictions
from algorithms.generate.prompts import Prompt, encode, prompts_of
from algorithms.generate.stopping import Ending
from algorithms.generate.stream import LogStreamer
from algorithms.generate.told import Follower, Told
from algorithms.shared.failures import BadParameter, UnsupportedModel
from algorithms.shared.inputs import Task
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.heads import CLASS_NAMES, choose_task
from algorithms.shared.models.loading import load, read_config
from algorithms.shared.ranks import Ranks, joined_ranks
from algorithms.shared.report import write_report
from algorithms.shared.tasks.base import TaskName
from algorithms.shared.training.precision import arithmetic_dtype

GENERATORS: tuple[TaskName, ...] = ("causal-lm", "seq2seq-lm")


def run(task: Task[GenerateParameters]) -> None:
    """Raises the failures of algorithms.shared.failures."""
    wanted = task.parameters
    refuse_contradictions(wanted)
    with joined_ranks(wanted.seed) as ranks:
        given = prompts_of(task)
        model = load_generator(task.model(), wanted, ranks)
        prompts = encode(model, given, wanted)
        started_at = time.monotonic()
        lines = continue_all(model, prompts, wanted, ranks)
        if ranks.is_first:
            _write(task, lines, len(prompts), time.monotonic() - started_at)


def load_generator(folder: Path, wanted: GenerateParameters, ranks: Ranks) -> LoadedModel:
    """Raises UnsupportedModel, before the weights are read, for one that can't generate, and
    BadParameter for a tensorParallel that isn't the ranks' number."""
    task = _made_for(read_config(folder))
    if task not in GENERATORS:
        raise UnsupportedModel(
            f"The model is one for {task}: it doesn't generate text. Take one for "
            f"{' or '.join(GENERATORS)}."
        )
    parallel = wanted.tensor_parallel
    if parallel not in (1, ranks.world_size):
        raise BadParameter(
            f"Parameter tensorParallel: {parallel}, but the job has {ranks.world_size} ranks, and "
            f"all of them compute one model together. Set it to {ranks.world_size}, or to 1."
        )
    device = ranks.device if parallel == 1 else None  # transformers places the parts
    dtype = arithmetic_dtype(wanted.dtype, ranks.device)
    return load(LoadRequest(folder, task, device, dtype, tensor_parallel=parallel))


def _made_for(config: Any) -> TaskName:
    """BART's one class fills masks, too: whatever generates counts as made for it."""
    for name in GENERATORS:
        if CLASS_NAMES[name].get(config.model_type) in (config.architectures or ()):
            return name
    return choose_task("auto", config)


def continue_all(
    model: LoadedModel, prompts: Sequence[Prompt], wanted: GenerateParameters, ranks: Ranks
) -> list[dict[str, Any]]:
    """A line of generations.jsonl for each text, in the order of the prompts, on every rank."""
    decoder = Decoder(model, wanted)
    rows = by_length(rows_of(prompts, wanted))
    padded = ignores_padding(decoder, rows, model.network.dtype)
    if ranks.is_first and not padded:
        print("This model reads padding: only prompts of one length are batched.", flush=True)
    mine = rows if wanted.tensor_parallel > 1 else ranks.share(rows)
    streams = ranks.is_first and wanted.stream and len(mine) == 1 and wanted.beams == 1
    told = Told(
        prompts, len(mine), wanted.max_new_tokens, ranks.is_first, wanted.stream and not streams
    )
    made: list[tuple[int, int, Ending]] = []
    for batch in batches(
        mine, wanted.max_new_tokens, wanted.batch_tokens, wanted.beams, padded=padded
    ):
        made += _continue_batch(decoder, batch, told, streams)
    everywhere = made if wanted.tensor_parallel > 1 else ranks.gather(made)
    everywhere = sorted(everywhere, key=lambda one: one[:2])
    return [_line(prompts[number], sample, end, wanted) for number, sample, end in everywhere]


def rows_of(prompts: Sequence[Prompt], wanted: GenerateParameters) -> list[Row]:
    """One for each text; one for all texts of a prompt where beams find them together."""
    width = wanted.samples_per_prompt if wanted.beams > 1 else 1
    return [
        Row(number, sample, prompt.tokens, width)
        for number, prompt in enumerate(prompts)
        for sample in range(0, wanted.samples_per_prompt, width)
    ]


def _continue_batch(
    decoder: Decoder, batch: Sequence[Row], told: Told, streams: bool
) -> list[tuple[int, int, Ending]]:
    """Each text with the numbers of prompt and sample."""
    follower = Follower(told, batch, decoder.ending if batch[0].samples == 1 else None)
    if streams:  # a line of progress may stand between two lines of the text only
        streamer = LogStreamer(decoder.tokenizer, follower.report)
        endings = decoder.generate(batch, follower.count, streamer)
    else:
        endings = decoder.generate(batch, follower.on_step)
    follower.finish(endings)
    return [
        (row.prompt, row.sample + number, ending)
        for row, texts in zip(batch, endings, strict=True)
        for number, ending in enumerate(texts)
    ]


def _line(
    prompt: Prompt, sample: int, ending: Ending, wanted: GenerateParameters
) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "sample": sample,
        "prompt": prompt.text,
        "text": ending.text,
        "tokens": ending.tokens,
        "finish": ending.finish,
        "seed": wanted.seed,
    }


def _write(
    task: Task[GenerateParameters], lines: Sequence[dict[str, Any]], prompts: int, seconds: float
) -> None:
    rows = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
    (task.outputs / "generations.jsonl").write_text("".join(rows), encoding="utf-8")
    tokens = sum(line["tokens"] for line in lines)
    metrics = {
        "prompts": float(prompts),
        "texts": float(len(lines)),
        "tokens": float(tokens),
        "seconds": round(seconds, 3),
        "tokensPerSecond": round(tokens / seconds, 1),
    }
    write_report(task, metrics)
