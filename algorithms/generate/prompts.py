"""Prompts, from text to the tokens that the model continues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from algorithms.generate.parameters import GenerateParameters
from algorithms.shared.data.files import data_files
from algorithms.shared.data.readers import rows_of
from algorithms.shared.data.records import place
from algorithms.shared.failures import BadModel, BadParameter, EmptyDataset, MalformedDataset
from algorithms.shared.inputs import Task
from algorithms.shared.models.base import LoadedModel

COLUMNS = ("prompt", "text")  # the first that a record has is its prompt


@dataclass(frozen=True)
class Given:
    """A prompt as it was given. `id`: the record's own, else "<file>:<line>"."""

    id: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """`tokens`: as the model takes it, special tokens and chat template included."""

    id: str
    text: str
    tokens: list[int]


def prompts_of(task: Task[GenerateParameters]) -> list[Given]:
    """Of the parameters, else of the input. Raises MalformedDataset, EmptyDataset."""
    listed = task.parameters.prompts
    if listed:
        return [Given(f"prompt:{n}", text) for n, text in enumerate(listed, start=1)]
    path = task.file_input("prompts")
    given = [prompt for prompt in _read(path) if prompt.text.strip()]
    if not given:
        raise EmptyDataset(f"{path.name} holds no prompt: every one is blank, or there is none.")
    return given


def _read(path: Path) -> Iterator[Given]:
    for name, file in data_files(path):
        for number, row in rows_of(name, file, ("id", *COLUMNS)):
            where = f"{name}:{number}"
            text = next((row[column] for column in COLUMNS if column in row), None)
            if not isinstance(text, str):
                raise MalformedDataset(f'{place(where)}: has no text; write {{"prompt": "…"}}.')
            yield Given(str(row.get("id") or where), text)


def encode(model: LoadedModel, given: Sequence[Given], wanted: GenerateParameters) -> list[Prompt]:
    """Raises BadParameter if the model has no chat template and one is asked for, or if a prompt
    leaves no room in the model's context; BadModel for a template that is none."""
    if wanted.chat and not model.tokenizer.chat_template:
        raise BadParameter(
            "Parameter chat: the model's tokenizer has no chat template. Leave chat out, and write "
            "the prompt as the model was trained on it."
        )
    prompts = [Prompt(one.id, one.text, _tokens(model, one.text, wanted.chat)) for one in given]
    for prompt in prompts:
        _refuse_too_long(prompt, model, wanted)
    return prompts


def _tokens(model: LoadedModel, text: str, chat: bool) -> list[int]:
    tokenizer: Any = model.tokenizer
    if chat:
        turn = [{"role": "user", "content": text}]
        try:
            said = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        except TemplateError as error:
            raise BadModel(f"The model's chat template can't be used: {error}") from error
        return list(tokenizer(said, add_special_tokens=False, verbose=False)["input_ids"])
    if model.network.config.is_encoder_decoder:
        return list(tokenizer(text, verbose=False)["input_ids"])
    tokens = list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    return [*_beginning(tokenizer), *tokens]


def _beginning(tokenizer: Any) -> list[int]:
    """What stood before a document in training."""
    first = tokenizer.bos_token_id
    first = tokenizer.eos_token_id if first is None else first
    return [] if first is None else [first]


def _refuse_too_long(prompt: Prompt, model: LoadedModel, wanted: GenerateParameters) -> None:
    apart = model.network.config.is_encoder_decoder  # prompt and text have a context each
    length, new = len(prompt.tokens), wanted.max_new_tokens
    needed = max(length, new) if apart else length + new
    if needed > model.context:
        raise BadParameter(
            f"{prompt.id} has {length} tokens: with {new} new ones that is more than the model's "
            f"{model.context}. Shorten it, or lower maxNewTokens."
        )
    if not prompt.tokens:
        raise BadParameter(f"{prompt.id} has no tokens, and the tokenizer no first one: write one.")
