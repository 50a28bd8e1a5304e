"""One batch of prompts through transformers' `generate`, and what its tokens say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from algorithms.generate.batches import Row
from algorithms.generate.parameters import GenerateParameters
from algorithms.generate.sampling import processors
from algorithms.generate.stopping import Ending, StopStrings, ended
from algorithms.shared.failures import BadModel, OutOfMemory, UnsupportedModel
from algorithms.shared.models.base import LoadedModel

CONFIG: Any = GenerationConfig  # untyped in transformers
SPECIAL_TOKENS = (
    "eos_token_id",
    "pad_token_id",
    "bos_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
)
OnStep = Callable[[int, "torch.Tensor"], None]  # rows' tokens [rows, …], new ones from that place


@dataclass(frozen=True)
class Batch:
    """Prompts of one length, by padding. `ids` and `mask` are [rows, longest prompt]."""

    ids: torch.Tensor
    mask: torch.Tensor


class Decoder:
    """A model that continues prompts as the parameters say."""

    def __init__(self, model: LoadedModel, wanted: GenerateParameters) -> None:
        self._network = model.network.eval()
        self.tokenizer = model.tokenizer
        self._wanted = wanted
        _refuse_unable(self._network)
        self._special = special_tokens(model)
        # Of the model's own settings only its special tokens count: what is asked for is done.
        self._network.generation_config = CONFIG(**self._special)

    @property
    def two_parts(self) -> bool:
        """Whether the model has an encoder, which reads the prompt, and a decoder."""
        return bool(self._network.config.is_encoder_decoder)

    def decode(self, ids: Sequence[int]) -> str:
        """Tokens as text, without special ones."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def generate(
        self, rows: Sequence[Row], on_step: OnStep | None = None, streamer: Any = None
    ) -> list[list[Ending]]:
        """Each row's texts. A batch that the memory doesn't hold is halved; raises OutOfMemory if
        a single row is too much."""
        try:
            return self._generate(rows, on_step, streamer)
        except torch.OutOfMemoryError as error:
            if len(rows) == 1:
                raise OutOfMemory(
                    f"The GPU's memory is too small for one prompt of {len(rows[0].tokens)} tokens "
                    f"with {self._wanted.max_new_tokens} new ones: lower maxNewTokens or beams, or "
                    f"shorten it ({error})."
                ) from error
        print(f"{len(rows)} rows at once are too many for the GPU's memory: halved.", flush=True)
        torch.cuda.empty_cache()
        half = len(rows) // 2
        return [
            *self.generate(rows[:half], on_step, streamer),
            *self.generate(rows[half:], on_step, streamer),
        ]

    def first_logits(self, rows: Sequence[Row], steps: int) -> torch.Tensor:
        """Of the likeliest tokens that follow, [rows, steps, vocabulary]."""
        batch = self.batch(rows)
        made = self._call(
            batch,
            CONFIG(
                max_new_tokens=steps,
                min_new_tokens=steps,
                output_logits=True,
                return_dict_in_generate=True,
                **self._special,
            ),
        )
        return torch.stack(made.logits, dim=1).float()

    def batch(self, rows: Sequence[Row]) -> Batch:
        """Padded on the left, so that every prompt ends where new tokens begin; on the right for an
        encoder, whose positions count from its first token."""
        longest = max(len(row.tokens) for row in rows)
        ids = torch.full((len(rows), longest), self._special["pad_token_id"])
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            length = len(row.tokens)
            place = slice(0, length) if self.two_parts else slice(longest - length, longest)
            ids[number, place] = torch.tensor(row.tokens)
            mask[number, place] = 1
        device = self._network.device
        return Batch(ids.to(device), mask.to(device))

    @torch.inference_mode()
    def _call(self, batch: Batch, config: Any, **more: Any) -> Any:
        return self._network.generate(
            batch.ids, attention_mask=batch.mask, generation_config=config, **more
        )

    def _generate(
        self, rows: Sequence[Row], on_step: OnStep | None, streamer: Any
    ) -> list[list[Ending]]:
        batch, wanted = self.batch(rows), self._wanted
        start = 1 if self.two_parts else batch.ids.shape[1]
        padding = batch.mask[:, : 0 if self.two_parts else None] == 0
        config = CONFIG(
            max_new_tokens=wanted.max_new_tokens,
            num_beams=wanted.beams,
            num_return_sequences=rows[0].samples,
            do_sample=False,
            **self._special,
        )
        made = self._call(
            batch,
            config,
            logits_processor=processors(rows, wanted, padding),
            stopping_criteria=self._criteria(start, on_step),
            streamer=streamer,
        )
        endings = [self.ending(ids) for ids in made[:, start:].tolist()]
        width = rows[0].samples
        return [endings[first : first + width] for first in range(0, len(endings), width)]

    def ending(self, ids: Sequence[int]) -> Ending:
        """New tokens' text, and why it ends."""
        ends = self._special["eos_token_id"]
        return ended(ids, ends, self._wanted.stop_strings, self.decode)

    def _criteria(self, start: int, on_step: OnStep | None) -> Any:
        criteria: Any = StoppingCriteriaList()
        if self._wanted.stop_strings:
            criteria.append(StopStrings(self._wanted.stop_strings, start, self.decode))
        if on_step:
            criteria.append(_Watch(start, on_step))
        return criteria


class _Watch(StoppingCriteria):
    """Stops nothing: tells after each step what there is."""

    def __init__(self, start: int, on_step: OnStep) -> None:
        self._start = start
        self._on_step = on_step

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        self._on_step(self._start, input_ids)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _refuse_unable(network: Any) -> None:
    if not network.can_generate():
        raise UnsupportedModel(
            f"A model of type {network.config.model_type} ({type(network).__name__}) has no head "
            "that generates text. Take a causal or a sequence-to-sequence language model."
        )


def special_tokens(model: LoadedModel) -> dict[str, Any]:
    """What begins, ends and pads a text: of the tokenizer, and of the model's own settings. Raises
    BadModel for one that is no number."""
    own = model.network.generation_config
    _refuse_strange_tokens(own)
    ends = {model.tokenizer.eos_token_id, *_listed(own.eos_token_id)} - {None}
    padding = (model.tokenizer.pad_token_id, own.pad_token_id, *sorted(ends), 0)
    return {
        "eos_token_id": sorted(ends),
        "pad_token_id": next(token for token in padding if token is not None),
        "bos_token_id": own.bos_token_id,
        "decoder_start_token_id": own.decoder_start_token_id,
        "forced_bos_token_id": own.forced_bos_token_id,
    }


def _refuse_strange_tokens(own: Any) -> None:
    for name in SPECIAL_TOKENS:
        value = getattr(own, name)
        if not all(token is None or type(token) is int for token in _listed(value)):
            raise BadModel(f"The model's generation_config.json: {name} is {value!r}, no token id.")


def _listed(value: int | list[int] | None) -> list[int | None]:
    return list(value) if isinstance(value, list) else [value]
