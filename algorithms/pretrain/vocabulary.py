"""A tokenizer trained on the data: byte-level BPE (Sennrich et al. 2016; Radford et al. 2019).

Bytes are its alphabet, so there is no text that it can't write down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from algorithms.shared.data.records import read_records
from algorithms.shared.tasks.base import TaskName

END = "<|endoftext|>"  # begins and ends a document, as in GPT-2
FRAMED = {  # as in RoBERTa
    "bos_token": "<s>",
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
COLUMNS: Mapping[TaskName, tuple[str, ...]] = {
    "causal-lm": ("text",),
    "masked-lm": ("text",),
    "seq2seq-lm": ("source", "target"),
    "sequence-classification": ("text",),
    "token-classification": ("tokens",),
    "question-answering": ("question", "context"),
}


def trained_tokenizer(
    texts: Iterator[str], size: int, name: TaskName, context: int | None = None
) -> Any:
    """`size` tokens at most, the special ones first; the same texts give the same tokenizer."""
    special = [END] if name == "causal-lm" else list(dict.fromkeys(FRAMED.values()))
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    alphabet = sorted(ByteLevel.alphabet())
    trainer = BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    make: Any = PreTrainedTokenizerFast
    longest = {"model_max_length": context} if context else {}
    if name == "causal-lm":
        return make(tokenizer_object=tokenizer, bos_token=END, eos_token=END, **longest)
    tokenizer.post_processor = _frame(tokenizer, name)
    return make(tokenizer_object=tokenizer, **FRAMED, **longest)


def texts_of(path: Path, name: TaskName, columns: Mapping[str, str]) -> Iterator[str]:
    """All that the tokenizer will read of the data. Raises MalformedDataset, EmptyDataset."""
    wanted = COLUMNS[name]
    named = {own: theirs for own, theirs in columns.items() if own in wanted}
    for record in read_records(path, wanted, (), named):
        for column in wanted:
            value = record.fields.get(column)
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                yield " ".join(word for word in value if isinstance(word, str))


def _frame(tokenizer: Tokenizer, name: TaskName) -> TemplateProcessing:
    begin, end = FRAMED["cls_token"], FRAMED["sep_token"]
    return TemplateProcessing(
        single=f"$A {end}" if name == "seq2seq-lm" else f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (begin, end)],
    )
