"""What a model makes of a few held-out records, to read before and after training.

Greedy and short: no random choice is made, so training goes on as if nothing had been asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from algorithms.shared.data.base import Record
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.outputs.record import Prediction
from algorithms.shared.tasks.base import IGNORED, Batch, Example

SAMPLES = 3
PROMPT_TOKENS = 24
NEW_TOKENS = 32
EXAMPLE_TOKENS = 128  # of a record that is read whole
PREDICTION_ERRORS = (
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


def predictions(model: LoadedModel, records: Sequence[Record]) -> list[Prediction]:
    """Of the first SAMPLES records; every rank calls it with the same ones (ZeRO-3 gathers the
    weights for each forward).

    A sample is for reading: a model type that trains, but can't be asked in this way, gives none,
    and the log says why. Out of memory is raised as everywhere.
    """
    chosen = [record for record in records if _example(model, record)][:SAMPLES]
    try:
        with _asked(model.network):
            return [_predict(model, record) for record in chosen]
    except torch.OutOfMemoryError:
        raise
    except PREDICTION_ERRORS as error:
        first_line = str(error).partition("\n")[0]
        print(f"No samples: this model can't be asked: {type(error).__name__}: {first_line}")
        return []


@contextmanager
def _asked(network: Any) -> Iterator[None]:
    """Without dropout and gradients; as it was afterwards."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)


def _predict(model: LoadedModel, record: Record) -> Prediction:
    example = _example(model, record)
    if model.task.name == "causal-lm":
        return _continued(model, record, example)
    if model.task.name == "seq2seq-lm":
        return _answered(model, record, example)
    return _labelled(model, record, example)


def _example(model: LoadedModel, record: Record) -> Example:
    """The record's first example, empty if there is none."""
    return next(iter(model.task.encode(record.fields, model.window(None, EXAMPLE_TOKENS))), {})


def _continued(model: LoadedModel, record: Record, example: Example) -> Prediction:
    """The beginning of the text is the prompt; what follows it there is the reference."""
    tokens = list(example["input_ids"])
    count = min(PROMPT_TOKENS, max(1, len(tokens) // 2))
    prompt, rest = tokens[:count], tokens[count : count + NEW_TOKENS]
    made = _generated(model, prompt)[count:]
    return Prediction(record.id, *(text_of(model, ids) for ids in (prompt, rest, made)))


def _answered(model: LoadedModel, record: Record, example: Example) -> Prediction:
    source = list(example["input_ids"])
    target = [token for token in example["labels"] if token != IGNORED]
    made = _generated(model, source)
    return Prediction(record.id, *(text_of(model, ids) for ids in (source, target, made)))


def _generated(model: LoadedModel, prompt: Sequence[int]) -> list[int]:
    """Greedy, whatever the model's own settings say; of them its special tokens count."""
    network = model.network
    inputs = torch.tensor([prompt], device=network.device)
    own = network.generation_config
    network.generation_config = _greedy(own)
    try:
        outputs = network.generate(inputs, attention_mask=torch.ones_like(inputs))
    finally:
        network.generation_config = own
    return [int(token) for token in outputs[0].tolist()]


def _greedy(own: Any) -> Any:
    """A GenerationConfig with another's special tokens, and none of its choices."""
    config: Any = type(own)(do_sample=False, num_beams=1, max_new_tokens=NEW_TOKENS)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"):
        setattr(config, name, getattr(own, name))
    if config.pad_token_id is None:
        end = config.eos_token_id
        config.pad_token_id = end[0] if isinstance(end, list) else end
    return config


def _labelled(model: LoadedModel, record: Record, example: Example) -> Prediction:
    """Each place that has a target: the model's choice there, and the record's."""
    batch = model.task.collate([example])
    batch = {name: value.to(model.network.device) for name, value in batch.items()}
    outputs = model.task.outputs(model.network, batch)
    prompt = text_of(model, [int(token) for token in batch["input_ids"][0].tolist()])
    if model.task.name == "question-answering":
        chosen = [outputs.start_logits.argmax(-1), outputs.end_logits.argmax(-1)]
        wanted = [batch["start_positions"], batch["end_positions"]]
        made, reference = (_span(model, batch, *ends) for ends in (chosen, wanted))
    else:
        counted = batch["labels"].reshape(-1) != IGNORED
        logits = outputs.logits.reshape(-1, outputs.logits.shape[-1])
        made = _names(model, logits[counted].argmax(-1))
        reference = _names(model, batch["labels"].reshape(-1)[counted])
    return Prediction(record.id, prompt, reference, made)


def _span(model: LoadedModel, batch: Batch, start: torch.Tensor, end: torch.Tensor) -> str:
    tokens = batch["input_ids"][0][int(start[0]) : int(end[0]) + 1]
    return text_of(model, [int(token) for token in tokens.tolist()])


def _names(model: LoadedModel, ids: torch.Tensor) -> str:
    """Tokens are read as text; labels by their names, a space between."""
    numbers = [int(number) for number in ids.tolist()]
    if model.task.name == "masked-lm":
        return text_of(model, numbers)
    return " ".join(str(model.network.config.id2label[number]) for number in numbers)


def text_of(model: LoadedModel, ids: Sequence[int]) -> str:
    """Without special tokens."""
    return str(model.tokenizer.decode(list(ids), skip_special_tokens=True))
