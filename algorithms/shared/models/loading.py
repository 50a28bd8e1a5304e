"""A model, its tokenizer and its task, from a folder as transformers writes it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import CONFIG_MAPPING, AutoConfig, AutoTokenizer

from algorithms.shared.failures import BadModel, UnsupportedModel
from algorithms.shared.models.base import LoadedModel, LoadRequest
from algorithms.shared.models.causal import make_causal
from algorithms.shared.models.heads import AUTO_CLASSES, choose_task, renamed_body
from algorithms.shared.models.policy import (
    check_code,
    check_weights,
    code_allowed,
    pickles_allowed,
)
from algorithms.shared.models.stored import stored_dtype
from algorithms.shared.models.vocabulary import check_vocabulary
from algorithms.shared.preflight.model_types import TypeFacts, model_types, why_not
from algorithms.shared.tasks.base import ModelTask, TaskName
from algorithms.shared.tasks.inputs import model_inputs, padding_token
from algorithms.shared.tasks.labels import fits
from algorithms.shared.tasks.registry import make_task

LOADING_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    RuntimeError,
    ImportError,
    SafetensorError,
    StrictDataclassError,
    UnpicklingError,
)
CLASSIFIERS: tuple[TaskName, ...] = ("sequence-classification", "token-classification")
HEADS = ("pooler",)  # inside the base model, yet made for a head: a language model has none

log = logging.getLogger(__name__)


def load(request: LoadRequest, known: Mapping[str, TypeFacts] | None = None) -> LoadedModel:
    """Raises BadModel, UnsupportedModel, VocabularyMismatch, BadParameter.

    `known`: what was found out of the types that transformers has; the table's, unless given.

    The network is in evaluation mode. With `request.labels` its label set is the config's if they
    fit it, else they are the new one (`request.new_head`) or an error.
    """
    _quiet()
    config = read_config(request.folder)
    name = choose_task(request.task, config)
    refuse_known(config.model_type, name, model_types() if known is None else known)
    tokenizer = read_tokenizer(request.tokenizer or request.folder)
    prepare_config(config, name, request, padding_token(tokenizer))
    dtype = stored_dtype(request.folder, config)
    network = _network(request, config, name, request.dtype or dtype)
    check_vocabulary(tokenizer, network)
    if request.device is not None:
        network.to(device=request.device)
    return LoadedModel(network, tokenizer, task_of(name, tokenizer, network), dtype)


def refuse_known(model_type: str, name: TaskName, known: Mapping[str, TypeFacts]) -> None:
    """Raises UnsupportedModel for what was tried and doesn't work."""
    if model_type in known and known[model_type].tasks.get(name):
        raise UnsupportedModel(why_not(model_type, (name,), known))


def read_config(folder: Path) -> Any:
    """Raises BadModel."""
    check_code(folder, CONFIG_MAPPING)
    return _read(AutoConfig, folder, "config")


def read_tokenizer(folder: Path) -> Any:
    """Raises BadModel."""
    return _read(AutoTokenizer, folder, "tokenizer")


def task_of(name: TaskName, tokenizer: Any, network: Any) -> ModelTask:
    """The task on this network. Raises UnsupportedModel, BadModel for what the tokenizer lacks."""
    if name == "masked-lm" and tokenizer.mask_token_id is None:
        raise BadModel("The tokenizer has no mask token: it isn't one for masked-lm.")
    if name in ("token-classification", "question-answering") and not tokenizer.is_fast:
        raise UnsupportedModel(
            f"{name} needs a tokenizer that tells where its tokens stand in the text; this one "
            f"({type(tokenizer).__name__}) doesn't. Save the model with its tokenizer.json."
        )
    labels = network.config.id2label if name in CLASSIFIERS else {}
    own = tuple(str(labels[number]) for number in sorted(labels))
    return make_task(name, model_inputs(tokenizer, network.config, type(network).forward, own))


def _quiet() -> None:
    """What transformers' own reports say of the weights is checked here."""
    reports: Any = transformers.utils.logging
    reports.set_verbosity_error()
    reports.disable_progress_bar()


def _read(auto_class: Any, folder: Path, what: str) -> Any:
    try:
        return auto_class.from_pretrained(
            folder, local_files_only=True, trust_remote_code=code_allowed()
        )
    except LOADING_ERRORS as error:
        raise BadModel(f"The {what} in {folder} can't be loaded: {first_line(error)}") from error


def prepare_config(config: Any, name: TaskName, request: LoadRequest, padding: int) -> None:
    """What the task asks of the config before the network is made."""
    if name == "causal-lm":
        make_causal(config)
    if name == "sequence-classification":
        config.get_text_config().pad_token_id = padding  # tells a decoder where a row ends
    if name in CLASSIFIERS and request.labels:
        _set_labels(config, request)


def _set_labels(config: Any, request: LoadRequest) -> None:
    own = [str(config.id2label[number]) for number in sorted(config.id2label)]
    if fits(own, request.labels):
        return
    if not request.new_head:
        raise BadModel(
            f"The data has labels that the model doesn't know: it has {', '.join(own[:10])}; the "
            f"data has {', '.join(request.labels[:10])}."
        )
    log.info("The label set is the data's: %s (the model's: %s)", request.labels, own)
    config.id2label = dict(enumerate(request.labels))
    config.label2id = {label: number for number, label in enumerate(request.labels)}


def _network(request: LoadRequest, config: Any, name: TaskName, dtype: torch.dtype) -> Any:
    check_weights(request.folder)
    torch.manual_seed(request.seed)
    parallel = _parallel(config, request.tensor_parallel)
    try:
        network, facts = AUTO_CLASSES[name].from_pretrained(
            request.folder,
            config=config,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=None if pickles_allowed() else True,
            weights_only=True,
            trust_remote_code=code_allowed(),
            ignore_mismatched_sizes=request.new_head,
            key_mapping=renamed_body(request.folder, config, name),
            output_loading_info=True,
            **parallel,
        )
    except LOADING_ERRORS as error:
        raise BadModel(
            f"The model in {request.folder} can't be loaded: {first_line(error)}"
        ) from error
    _check_missing(request, name, network, facts)
    return network


def _parallel(config: Any, size: int) -> dict[str, Any]:
    """Raises UnsupportedModel for a type without a plan of how to cut its weights."""
    if size == 1:
        return {}
    if not getattr(config.get_text_config(), "base_model_tp_plan", None):
        raise UnsupportedModel(
            f"Models of type {config.model_type} have no tensor-parallel plan: set tensorParallel "
            "to 1, and zero to 3 if the model is too large for one GPU."
        )
    return {"tp_plan": "auto", "tp_size": size}


def _check_missing(request: LoadRequest, name: TaskName, network: Any, facts: Any) -> None:
    """Raises BadModel for weights that are neither in the folder nor of a head to be trained."""
    mismatched = {key for key, *_ in facts["mismatched_keys"]}
    lacking = sorted({*facts["missing_keys"], *mismatched})
    body = [key for key in lacking if not _of_head(key, network)]
    if body or (lacking and not request.new_head):
        keys = ", ".join((body or lacking)[:3])
        advice = "" if body else f" It is no model for {name} before it is trained for it."
        raise BadModel(f"The model in {request.folder} lacks weights: {keys}.{advice}")
    if lacking:
        log.info("A new head for %s, from seed %d: %s", name, request.seed, ", ".join(lacking))


def _of_head(key: str, network: Any) -> bool:
    body: str = network.base_model_prefix
    inside = key.startswith(f"{body}.") or not hasattr(network, body)
    return not inside or any(part in key.split(".") for part in HEADS)


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
