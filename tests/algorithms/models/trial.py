"""One model type through one task: save, load, train a step, evaluate, all through our own code."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING

from algorithms.shared.failures import UnsupportedModel
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.causal import make_causal
from algorithms.shared.models.heads import AUTO_CLASSES, tasks_of
from algorithms.shared.models.loading import load
from algorithms.shared.models.sizes import Sizes, sized_config
from algorithms.shared.tasks.base import Batch, TaskName
from tests.algorithms.models.overrides import HASHING, OVERRIDES
from tests.algorithms.models.tokens import byte_tokenizer

LENGTH = 48  # tokens
SAME_LOSS = 1e-4  # nats a target: before saving and after loading
LEAK = 1e-4  # of the change in its own place: what a token may change before it, by rounding
LABELS = ("no", "yes")
SPECIAL_IDS = ("pad", "bos", "eos", "unk", "mask", "cls", "sep")
RECORDS: dict[TaskName, list[Mapping[str, Any]]] = {
    "causal-lm": [{"text": "In the beginning was the word."}, {"text": "It was good."}],
    "masked-lm": [{"text": "In the beginning was the word."}, {"text": "It was good."}],
    "seq2seq-lm": [
        {"source": "In the beginning", "target": "was the word."},
        {"source": "It", "target": "was good."},
    ],
    "sequence-classification": [
        {"text": "It was good.", "label": "yes"},
        {"text": "The earth was without form.", "label": "no"},
    ],
    "token-classification": [
        {"tokens": ["It", "was", "good"], "labels": ["no", "no", "yes"]},
        {"tokens": ["In", "the", "beginning"], "labels": ["no", "no", "no"]},
    ],
    "question-answering": [
        {
            "question": "Who?",
            "context": "He is Bob, she is Alice.",
            "answers": {"text": ["Alice"], "answer_start": [18]},
        },
        {"question": "Where?", "context": "At home.", "answers": {"text": [], "answer_start": []}},
    ],
}


class Shortcoming(Exception):
    """The type ran, but not as training needs it."""


def variants(vocabulary: int) -> list[Sizes]:
    """Sizes to try, one after the other: types differ in what must divide what."""
    least = Sizes(
        vocabulary=vocabulary,
        heads=4,
        head=8,
        shared_heads=2,
        layers=2,
        positions=128,
        inner=64,
        part=8,
        experts=4,
        window=16,
        expand=1,
        unknown=32,
        unset="change",
    )
    return [
        least,
        replace(least, unset="leave"),
        replace(least, unset="fill"),
        replace(least, shared_heads=4),
        replace(least, shared_heads=4, unset="leave"),
        replace(least, head=12, unset="leave"),
        replace(least, heads=2, shared_heads=2, head=32, layers=4, part=32),
        replace(least, heads=8, shared_heads=8, head=16, layers=6, positions=1024, window=128),
        replace(least, layers=6, unset="leave"),
    ]


def try_type(model_type: str) -> dict[TaskName, str]:
    """Each task that the type has a head for: "" if it works, else why not."""
    return {task: try_task(model_type, task) for task in tasks_of(model_type)}


def try_task(model_type: str, task: TaskName) -> str:
    """With the first sizes that work; else the reason that the first ones gave."""
    tokenizer = byte_tokenizer()
    reasons: list[str] = []
    for sizes in variants(len(tokenizer)):
        step = "no tiny one could be made: "
        try:
            network = tiny_model(model_type, task, sizes, tokenizer)
            step = ""
            run(model_type, task, network, tokenizer)
            return ""
        except (Shortcoming, UnsupportedModel) as shortcoming:
            return str(shortcoming)
        except Exception as error:  # noqa: BLE001 - anything a type raises is its reason
            reasons.append(f"{step}{type(error).__name__}: {first_line(error)}")
    return reasons[0]


def tiny_model(model_type: str, task: TaskName, sizes: Sizes, tokenizer: Any) -> Any:
    """A random one, in float32."""
    config = sized_config(CONFIG_MAPPING[model_type], sizes, OVERRIDES.get(model_type, {}))
    for part in {id(part): part for part in (config, config.get_text_config())}.values():
        set_tokens(part, tokenizer)
    torch.manual_seed(0)
    if task == "causal-lm":
        make_causal(config)
    if task in ("sequence-classification", "token-classification"):
        config.id2label, config.label2id = dict(enumerate(LABELS)), {"no": 0, "yes": 1}
    return AUTO_CLASSES[task].from_config(config, dtype=torch.float32).eval()


def set_tokens(config: Any, tokenizer: Any) -> None:
    """The tokenizer's special tokens; where the decoder starts, too."""
    for name in SPECIAL_IDS:
        if hasattr(config, f"{name}_token_id"):
            setattr(config, f"{name}_token_id", getattr(tokenizer, f"{name}_token_id"))
    if config.is_encoder_decoder:
        config.decoder_start_token_id = tokenizer.bos_token_id


def run(model_type: str, task: TaskName, network: Any, tokenizer: Any) -> None:
    """Raises Shortcoming, or whatever the type does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        labels = LABELS if "class" in task else ()
        model = load(LoadRequest(folder, task, labels=labels), known={})
    batch = batch_of(model)
    same_after_loading(network, model, batch)
    if task == "causal-lm" and model_type not in HASHING:
        sees_no_future(model, batch)
    learns(model, batch)


def batch_of(model: LoadedModel) -> Batch:
    """Two records of different length."""
    records = RECORDS[model.task.name]
    return model.task.collate([e for r in records for e in model.task.encode(r, LENGTH)])


def loss(model: LoadedModel, network: Any, batch: Batch) -> float:
    """Nats a target, in evaluation mode."""
    torch.manual_seed(0)  # Reformer draws its hashes
    with torch.inference_mode():
        nats = model.task.loss_sum(model.task.outputs(network, batch), batch)
    return float(nats) / model.task.targets(batch)


def same_after_loading(network: Any, model: LoadedModel, batch: Batch) -> None:
    """Raises Shortcoming if saving and loading change what the model says."""
    before, after = loss(model, network, batch), loss(model, model.network, batch)
    if not abs(before - after) < SAME_LOSS:
        raise Shortcoming(f"its loss is {before:.4f} before saving, {after:.4f} after loading")


def sees_no_future(model: LoadedModel, batch: Batch) -> None:
    """Raises Shortcoming if a token changes what is predicted before it."""
    last = batch["input_ids"].shape[1] - 1
    changed = {**batch, "input_ids": batch["input_ids"].clone()}
    changed["input_ids"][0, last] = (changed["input_ids"][0, last] + 1) % 200 + 8
    difference = (_logits(model, batch) - _logits(model, changed))[0, : last + 1].abs()
    if not float(difference[:last].max()) < LEAK * float(difference[last].max()):
        raise Shortcoming("its head for causal-lm sees the tokens that it has to predict")


def _logits(model: LoadedModel, batch: Batch) -> torch.Tensor:
    torch.manual_seed(0)
    with torch.inference_mode():
        logits: torch.Tensor = model.task.outputs(model.network, batch).logits
    return logits


def learns(model: LoadedModel, batch: Batch) -> None:
    """One step of AdamW and an evaluation. Raises Shortcoming unless both give finite numbers and
    the weights have changed what the model says."""
    before = loss(model, model.network, batch)
    model.network.train()
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=1e-3)
    nats = model.task.loss_sum(model.task.outputs(model.network, batch), batch)
    torch.autograd.backward(nats / model.task.targets(batch))
    norm = float(torch.nn.utils.clip_grad_norm_(model.network.parameters(), 1.0))
    optimizer.step()
    model.network.eval()
    after = loss(model, model.network, batch)
    if not (math.isfinite(norm) and norm > 0):
        raise Shortcoming(f"the gradient's norm is {norm}")
    if not math.isfinite(after) or after == before:
        raise Shortcoming(f"its loss is {before:.4f} before the step, {after:.4f} after it")


def first_line(error: BaseException) -> str:
    """Of the error that is behind it, if one is: a validator's says only which one it was."""
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    return (lines[0] if lines else "")[:200]
