"""Which class of transformers does a task, for which model types."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto import modeling_auto

from algorithms.shared.failures import UnsupportedModel
from algorithms.shared.models.policy import code_allowed
from algorithms.shared.models.stored import weight_names
from algorithms.shared.tasks.base import TaskName
from algorithms.shared.tasks.registry import TASK_NAMES, task_name

BASE: Any = transformers.AutoModel
AUTO_CLASSES: dict[TaskName, Any] = {
    "causal-lm": transformers.AutoModelForCausalLM,
    "masked-lm": transformers.AutoModelForMaskedLM,
    "seq2seq-lm": transformers.AutoModelForSeq2SeqLM,
    "sequence-classification": transformers.AutoModelForSequenceClassification,
    "token-classification": transformers.AutoModelForTokenClassification,
    "question-answering": transformers.AutoModelForQuestionAnswering,
}
CLASS_NAMES: dict[TaskName, dict[str, str]] = {
    "causal-lm": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    "masked-lm": modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    "seq2seq-lm": modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    "sequence-classification": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    "token-classification": modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
    "question-answering": modeling_auto.MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES,
}


# A class may do several (BartForConditionalGeneration); the first is what people mean by it.
AUTO_ORDER: tuple[TaskName, ...] = ("causal-lm", "seq2seq-lm", *TASK_NAMES)


def tasks_of(model_type: str) -> list[TaskName]:
    """Those that the type has a head for."""
    return [name for name in TASK_NAMES if model_type in CLASS_NAMES[name]]


def choose_task(wanted: str, config: Any) -> TaskName:
    """`auto`: what the config's architectures are made for, else the first that the type can do.

    Raises UnsupportedModel, BadParameter.
    """
    name = _asked_for(wanted, config)
    if name == "seq2seq-lm" and not config.is_encoder_decoder:
        raise UnsupportedModel(
            f"Models of type {config.model_type} don't read their source as text (but audio)."
        )
    return name


def _asked_for(wanted: str, config: Any) -> TaskName:
    if wanted != "auto":
        return _supported(task_name(wanted), config)
    for name in AUTO_ORDER:
        if CLASS_NAMES[name].get(config.model_type) in (config.architectures or ()):
            return name
    return _only(_possible(config), config)


def renamed_body(folder: Path, config: Any, name: TaskName) -> dict[str, str] | None:
    """From a stored weight's name to the network's, as patterns; None where they agree.

    A few heads hold the base model under a name of their own: LlamaForQuestionAnswering's
    `transformer` is `model` in every other Llama.
    """
    base, head = _class_of(BASE, config), _class_of(AUTO_CLASSES[name], config)
    if base is None or head is None or base.base_model_prefix == head.base_model_prefix:
        return None
    stored, wanted = f"{base.base_model_prefix}.", f"{head.base_model_prefix}."
    names = weight_names(folder)
    if any(key.startswith(wanted) for key in names):
        return None
    return {f"^{re.escape(stored)}": wanted}


def _class_of(auto_class: Any, config: Any) -> Any:
    """None for a type that isn't known (its own code makes it) or of several classes."""
    found = auto_class._model_mapping.get(type(config), None)
    return found if isinstance(found, type) else None


def _only(possible: list[TaskName], config: Any) -> TaskName:
    if not possible:
        raise UnsupportedModel(
            f"Models of type {config.model_type} have a head for none of the tasks "
            f"{', '.join(TASK_NAMES)}."
        )
    if len(possible) > 1 and config.architectures:
        raise UnsupportedModel(
            f"The model is a {config.architectures[0]}, which is made for none of the tasks; set "
            f"the parameter task to one of those that its type can do: {', '.join(possible)}."
        )
    return possible[0]


def _supported(name: TaskName, config: Any) -> TaskName:
    possible = _possible(config)
    if name in possible:
        return name
    known = ", ".join(possible) or "none of the tasks"
    raise UnsupportedModel(
        f"Models of type {config.model_type} can't do {name}; they can do: {known}."
    )


def _possible(config: Any) -> list[TaskName]:
    """By transformers' own classes, else by those that the folder's code brings."""
    if config.model_type in transformers.CONFIG_MAPPING or not code_allowed():
        return tasks_of(config.model_type)
    brought = getattr(config, "auto_map", None) or {}
    return [name for name in TASK_NAMES if AUTO_CLASSES[name].__name__ in brought]
