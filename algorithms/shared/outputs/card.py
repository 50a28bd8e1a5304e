"""The model card: README.md with front matter, as the Hugging Face Hub specifies it
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md).

It says what the model was made from, with which data and parameters, and how much better it got.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from huggingface_hub import EvalResult, ModelCardData

from algorithms.shared.outputs.origin import UNKNOWN, Origin
from algorithms.shared.outputs.record import TrainingRun
from algorithms.shared.tasks.base import TaskName

PIPELINE_TAGS: Mapping[TaskName, str] = {
    "causal-lm": "text-generation",
    "masked-lm": "fill-mask",
    "seq2seq-lm": "text-generation",  # text2text-generation is no task of the Hub any more
    "sequence-classification": "text-classification",
    "token-classification": "token-classification",
    "question-answering": "question-answering",
}
AUTO_CLASSES: Mapping[TaskName, str] = {
    "causal-lm": "AutoModelForCausalLM",
    "masked-lm": "AutoModelForMaskedLM",
    "seq2seq-lm": "AutoModelForSeq2SeqLM",
    "sequence-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "question-answering": "AutoModelForQuestionAnswering",
}


@dataclass(frozen=True)
class CardFacts:
    """Everything on the card. `datasets`: names of the inputs that were trained on."""

    algorithm: str
    version: str
    run: TrainingRun
    origin: Origin
    parameters: Mapping[str, object]
    versions: Mapping[str, str]
    datasets: tuple[str, ...] = ()


def model_card(facts: CardFacts) -> str:
    """The whole file."""
    sections = {
        "Data": _data(facts),
        "Parameters": _table(("parameter", "value"), facts.parameters),
        "Lineage": _lineage(facts.origin),
        "Metrics": _metrics(facts.run),
        "Versions": _table(("package", "version"), facts.versions),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"---\n{_front_matter(facts)}---\n# {_title(facts)}\n\n{_summary(facts)}\n\n{body}\n"


def _front_matter(facts: CardFacts) -> str:
    tag, origin = PIPELINE_TAGS[facts.run.task_name], facts.origin
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag=tag,
        license=origin.license,
        base_model=origin.base_model or None,
        datasets=list(facts.datasets) or None,
        metrics=sorted(facts.run.after) or None,
        tags=["posthuman", facts.algorithm],
        model_name=_title(facts),
        eval_results=_results(facts, tag) or None,
        posthuman={"parents": list(origin.dids), "task": facts.run.task_name},
    )
    return str(data.to_yaml(line_break="\n")) + "\n"


def _results(facts: CardFacts, tag: str) -> list[EvalResult]:
    """Held-out figures after training, as the Hub's model-index has them."""
    name = ", ".join(facts.datasets) or "text"
    return [
        EvalResult(
            task_type=tag,
            dataset_type=name,
            dataset_name=f"{name}, held out",
            metric_type=metric,
            metric_value=value,
            metric_name=f"held-out {metric}",
        )
        for metric, value in sorted(facts.run.after.items())
    ]


def _title(facts: CardFacts) -> str:
    made = "pretrained" if facts.algorithm == "pretrain" else "trained further"
    base = facts.origin.base_model
    return f"{base}, {made}" if base else f"A model {made}"


def _summary(facts: CardFacts) -> str:
    run = facts.run
    return (
        f"{len(run.losses)} steps of {run.task_name} on {run.samples} samples ({run.tokens} tokens "
        f"seen), made by `{facts.algorithm}` {facts.version}. "
        f"Load it with `{AUTO_CLASSES[run.task_name]}.from_pretrained`."
    )


def _data(facts: CardFacts) -> str:
    run, named = facts.run, ", ".join(f"`{name}`" for name in facts.datasets) or "none named"
    lines = [f"Inputs: {named}. Trained on {run.samples} samples, {run.tokens} tokens."]
    lines += [f"Held out, never trained on: {run.held_out_samples} samples."]
    if run.data_fingerprint:
        lines += [f"Fingerprint of data, tokenizer and settings: `{run.data_fingerprint}`."]
    return "\n".join(lines)


def _lineage(origin: Origin) -> str:
    parents = [f"- `{did}`" for did in origin.dids] or ["No input was an asset on chain."]
    licence = "names no licence" if origin.license == UNKNOWN else f"says `{origin.license}`"
    return "\n".join([*parents, "", f"Licence: the model that this was made from {licence}."])


def _metrics(run: TrainingRun) -> str:
    if not run.after:
        return "Nothing was held out."
    rows = [
        f"| held-out {name} | {_figure(run.before.get(name))} | {_figure(value)} |"
        for name, value in sorted(run.after.items())
    ]
    return "\n".join(["| metric | before | after |", "|---|---|---|", *rows])


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(titles: tuple[str, str], rows: Mapping[str, object]) -> str:
    return "\n".join([f"| {titles[0]} | {titles[1]} |", "|---|---|", *_rows(rows)])


def _rows(rows: Mapping[str, object]) -> Iterator[str]:
    for name, value in rows.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"| {name} | {str(shown).replace('|', '&#124;')} |"
