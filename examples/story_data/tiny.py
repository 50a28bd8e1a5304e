"""A model small enough for tests: a Llama of 0.1 million random weights that reads bytes.

It trains in seconds, so the story can be told on a real cluster without a real model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

BEGIN, END = "<begin>", "<end>"
SEED = 20


def write_tiny_model(folder: Path) -> Path:
    """config.json, safetensors (float32) and tokenizer; the same bytes each time."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(SEED)
    make: Any = LlamaForCausalLM
    make(tiny_config(len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors makes files that nobody else can read
    return folder


def tiny_config(vocabulary: int) -> LlamaConfig:
    """No dropout, so that a loss can be computed by hand."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
    )


def byte_tokenizer() -> Any:
    """One token a byte, and two that begin and end a document."""
    symbols = [BEGIN, END, *sorted(ByteLevel.alphabet())]
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END)
