"""Language models: loss, perplexity, and what compares models of different tokenizers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from algorithms.evaluate.judges.base import Judge, perplexed
from algorithms.shared.data.base import Record
from algorithms.shared.scoring import Scored, total
from algorithms.shared.tasks.causal_lm import CausalLM
from algorithms.shared.tasks.masked_lm import MaskedLM


class CausalJudge(Judge):
    """Loss in nats a token. A token is more text to one tokenizer than to another; a byte isn't,
    so bits a byte compare (Gao et al. 2020, "The Pile", section 3.1)."""

    task = CausalLM
    headline = ("loss", "perplexity", "bitsPerByte")

    def figures(self, records: Sequence[Record], scored: Sequence[Scored]) -> dict[str, float]:
        score = total(one.score for one in scored)
        size = sum(len(record.fields["text"].encode()) for record in records)
        return {**perplexed(score), "bitsPerByte": score.nats / math.log(2) / size}

    def sample(self, record: Record, scored: Scored) -> dict[str, Any]:
        return dict(perplexed(scored.score))


class MaskedJudge(Judge):
    """Loss in nats a hidden token; the perplexity is of hidden tokens too, no causal model's."""

    task = MaskedLM
    headline = ("loss", "perplexity")

    def figures(self, records: Sequence[Record], scored: Sequence[Scored]) -> dict[str, float]:
        return perplexed(total(one.score for one in scored))

    def sample(self, record: Record, scored: Scored) -> dict[str, Any]:
        return dict(perplexed(scored.score))
