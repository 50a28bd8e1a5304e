"""Prompts, from text to the tokens that the model continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from algorithms.generate.parameters import GenerateParameters
from algorithms.shared.failures import BadParameter
from algorithms.shared.inputs import Task
from algorithms.shared.language_model import LanguageModel
from algorithms.shared.text import Sample, read_samples


@dataclass(frozen=True)
class Prompt:
    """`tokens`: as the model takes it, special tokens and chat template included."""

    id: str
    text: str
    tokens: list[int]


def prompts_of(task: Task[GenerateParameters]) -> list[Sample]:
    """Of the parameters, else of the input."""
    given = task.parameters.prompts
    if given:
        return [Sample(f"prompt:{n}", text) for n, text in enumerate(given, start=1)]
    return read_samples(task.file_input("prompts"), keys=("prompt", "text"))


def encode(
    model: LanguageModel, samples: Sequence[Sample], wanted: GenerateParameters
) -> list[Prompt]:
    """Raises BadParameter if the model has no chat template and one is asked for, or if a prompt
    leaves no room in the model's context."""
    if wanted.chat and not model.tokenizer.chat_template:
        raise BadParameter(
            "Parameter chat: the model's tokenizer has no chat template. Leave chat out, and write "
            "the prompt as the model was trained on it."
        )
    prompts = [Prompt(s.id, s.text, _tokens(model, s.text, wanted.chat)) for s in samples]
    for prompt in prompts:
        _refuse_too_long(prompt, model, wanted)
    return prompts


def _tokens(model: LanguageModel, text: str, chat: bool) -> list[int]:
    tokenizer: Any = model.tokenizer
    if chat:
        turn = [{"role": "user", "content": text}]
        said = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
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


def _refuse_too_long(prompt: Prompt, model: LanguageModel, wanted: GenerateParameters) -> None:
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
