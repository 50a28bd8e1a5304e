"""An extractive reader whose weights are set by hand: why it answers what can be said.

It points to the word two behind a country that the question names ("… of Norway is Oslo"), and to
its first token (no answer) if there is none. A BERT of two layers:

1. Each word copies the word two before it (attention by position).
2. Each word looks for a country equal to that copy in the question, and reads there whether it is
   one and stands in the question: 2 if found, little more than 1 if not.

It is fooled by "Norway has many rivers": a reader alone is not enough.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForQuestionAnswering, PreTrainedTokenizerFast

COUNTRIES = ("norway", "kenya", "peru", "japan", "france", "egypt")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = (*SPECIAL, *COUNTRIES, "what", "is", "the", "capital", "of", "?", ".", "has", "many", "a")
POSITIONS = 64
SHARP = 60.0  # of an attention that looks at one word only
SURE = 10.0  # logits between an answer and none


def write_tiny_reader(folder: Path) -> Path:
    """config.json, safetensors and tokenizer."""
    parts = _Parts()
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=parts.size,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=0,
    )
    make: Any = BertForQuestionAnswering
    network = make(config).eval()
    with torch.no_grad():
        _set_weights(network, parts)
    network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


class _Parts:
    """Which dimensions hold what: word, position, segment, the word two before, the finding."""

    def __init__(self) -> None:
        words, places = len(WORDS), POSITIONS
        self.word = torch.arange(words)
        self.position = words + torch.arange(places)
        self.question = words + places  # 1 in the question
        self.before = self.question + 1 + torch.arange(words)
        self.found = int(self.before[-1]) + 1
        self.size = self.found + 1
        self.countries = torch.tensor([WORDS.index(country) for country in COUNTRIES])


def _set_weights(network: Any, parts: _Parts) -> None:
    for name, weight in network.named_parameters():
        weight.fill_(1.0 if "LayerNorm.weight" in name else 0.0)
    body = network.bert
    body.embeddings.word_embeddings.weight[:, parts.word] = torch.eye(len(WORDS))
    body.embeddings.position_embeddings.weight[:, parts.position] = torch.eye(POSITIONS)
    body.embeddings.token_type_embeddings.weight[0, parts.question] = 1.0
    # A normalised vector of three ones among zeros has them at about sqrt(size / 3).
    one = (parts.size / 3) ** 0.5
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.LayerNorm)):
        norm.weight.fill_(1 / one)
    _copy_the_word_two_before(body.encoder.layer[0].attention, parts)
    _find_it_in_the_question(body.encoder.layer[1].attention, parts)
    network.qa_outputs.weight[:, parts.found] = 2 * SURE
    network.qa_outputs.weight[:, WORDS.index("[CLS]")] = SURE / 2  # between found and not


def _copy_the_word_two_before(attention: Any, parts: _Parts) -> None:
    scale = SHARP * parts.size**0.5
    attention.self.query.weight[parts.position[:-2], parts.position[2:]] = scale
    attention.self.key.weight[parts.position, parts.position] = 1.0
    attention.self.value.weight[parts.word, parts.word] = 1.0
    attention.output.dense.weight[parts.before, parts.word] = 1.0


def _find_it_in_the_question(attention: Any, parts: _Parts) -> None:
    scale, countries = SHARP * parts.size**0.5, parts.countries
    attention.self.query.weight[countries, parts.before[countries]] = scale
    attention.self.key.weight[countries, countries] = 1.0
    attention.self.query.bias[parts.question] = scale
    attention.self.key.weight[parts.question, parts.question] = 1.0
    attention.self.value.weight[parts.found, countries] = 1.0
    attention.self.value.weight[parts.found, parts.question] = 1.0
    attention.output.dense.weight[parts.found, parts.found] = 1.0


def tokenizer() -> Any:
    """One token a word or a full stop; words that it doesn't know are [UNK]."""
    made = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = Lowercase()
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(word, WORDS.index(word)) for word in ("[CLS]", "[SEP]")],
    )
    named = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
    make: Any = PreTrainedTokenizerFast
    taken = ["input_ids", "token_type_ids", "attention_mask"]
    return make(tokenizer_object=made, sep_token="[SEP]", model_input_names=taken, **named)
