"""A text from a text: the loss on the reference, and how near to it what the model writes is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from algorithms.evaluate.judges.base import Judge, perplexed
from algorithms.shared.data.base import Record
from algorithms.shared.models.base import LoadedModel
from algorithms.shared.scoring import Scored, total
from algorithms.shared.tasks.base import Batch, Example
from algorithms.shared.tasks.seq2seq_lm import Seq2SeqLM

MOST_GENERATED = 256  # tokens
SPECIAL_TOKENS = (
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
)


class TargetTextJudge(Judge):
    """Observes what the model writes, greedily. BLEU and chrF are sacrebleu's, from 0 to 100, in
    its default settings (Post 2018): BLEU with 13a's tokens, chrF2."""

    task = Seq2SeqLM
    headline = ("loss", "bleu", "chrf")

    def __init__(self, model: LoadedModel, length: int) -> None:
        super().__init__(model, length)
        network = model.network
        network.generation_config = _greedy(network, model.tokenizer, min(length, MOST_GENERATED))

    def observe(self, examples: Sequence[Example], batch: Batch, outputs: Any) -> Sequence[Any]:
        taken = ("input_ids", "attention_mask")
        made = self.model.network.generate(**{n: batch[n] for n in taken if n in batch})
        texts = self.model.tokenizer.batch_decode(made, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def figures(self, records: Sequence[Record], scored: Sequence[Scored]) -> dict[str, float]:
        from sacrebleu.metrics.bleu import BLEU  # only here: other tasks needn't wait for it
        from sacrebleu.metrics.chrf import CHRF

        made = [_text(one) for one in scored]
        references = [[record.fields["target"] for record in records]]
        return {
            **perplexed(total(one.score for one in scored)),
            "bleu": float(BLEU().corpus_score(made, references).score),
            "chrf": float(CHRF().corpus_score(made, references).score),
        }

    def sample(self, record: Record, scored: Scored) -> dict[str, Any]:
        told = {"expected": record.fields["target"], "predicted": _text(scored)}
        return {**super().sample(record, scored), **told}


def _text(scored: Scored) -> str:
    return str(scored.seen[0]) if scored.seen else ""


def _greedy(network: Any, tokenizer: Any, most: int) -> Any:
    """The model's special tokens, and none of its own choices."""
    own = network.generation_config
    config: Any = type(own)(do_sample=False, num_beams=1, max_new_tokens=most)
    for name in SPECIAL_TOKENS:
        setattr(config, name, getattr(own, name, None))
    if config.eos_token_id is None:
        config.eos_token_id = tokenizer.eos_token_id
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    return config
