"""A tokenizer of bytes with every special token that any task asks for."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

SPECIAL = {
    "pad_token": "<pad>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "cls_token": "<cls>",
    "sep_token": "</s>",
}


def byte_tokenizer() -> Any:
    """262 tokens, the special ones first; `<cls> text </s> </s> pair </s>` as in RoBERTa."""
    symbols = [*dict.fromkeys(SPECIAL.values()), *sorted(ByteLevel.alphabet())]
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.post_processor = TemplateProcessing(
        single="<cls> $A </s>",
        pair="<cls> $A </s> </s> $B:1 </s>:1",
        special_tokens=[(name, vocabulary[name]) for name in ("<cls>", "</s>")],
    )
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=tokenizer, **SPECIAL)
