"""The configuration of a new model: its type's own, in the wanted sizes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_PRETRAINING_MAPPING_NAMES

from algorithms.pretrain.parameters import PretrainParameters
from algorithms.shared.failures import BadParameter, UnsupportedModel
from algorithms.shared.models.causal import make_causal
from algorithms.shared.models.heads import AUTO_ORDER, CLASS_NAMES, tasks_of
from algorithms.shared.models.sizes import HEADS, WIDTHS, Sizes, first_int, sized_config
from algorithms.shared.tasks.base import TaskName
from algorithms.shared.tasks.registry import task_name

LOCAL_AND_GLOBAL = {"gpt_neo": ("global", "local"), "reformer": ("local", "lsh")}
KNOWN_FOR: Mapping[str, TaskName] = {"reformer": "causal-lm"}  # though it can do masked-lm too
CONFIG_ERRORS = (TypeError, ValueError, KeyError, AttributeError, StrictDataclassError)


def new_config(parameters: PretrainParameters, name: TaskName, tokenizer: Any) -> Any:
    """Raises BadParameter for sizes or fields that the type doesn't take."""
    kind = _config_class(parameters.model_type)
    try:
        config = sized_config(
            kind,
            _sizes(parameters, kind, len(tokenizer)),
            {**_of_the_type(parameters), **_tokens(tokenizer, kind), **parameters.config},
        )
    except CONFIG_ERRORS as error:
        reason = str(error.__cause__ or error).strip().splitlines()[-1].strip()
        raise BadParameter(
            f"transformers takes no {parameters.model_type} of these sizes: {reason}"
        ) from error
    _check_sizes(config, parameters, len(tokenizer))
    if name == "causal-lm":
        make_causal(config)
    return config


def chosen_task(wanted: str, model_type: str) -> TaskName:
    """`auto`: what the type is known for: the task of its pretraining class, else masked-lm where
    it can do that, else the first it can. Raises UnsupportedModel, BadParameter."""
    _config_class(model_type)
    possible = tasks_of(model_type)
    if wanted != "auto":
        if task_name(wanted) in possible:
            return task_name(wanted)
        raise UnsupportedModel(
            f"Models of type {model_type} can't do {wanted}; they can do: {', '.join(possible)}."
        )
    known_for = MODEL_FOR_PRETRAINING_MAPPING_NAMES.get(model_type)
    for name in AUTO_ORDER:
        if CLASS_NAMES[name].get(model_type, "") == known_for:
            return name
    if model_type in KNOWN_FOR:
        return KNOWN_FOR[model_type]
    if not possible:
        raise UnsupportedModel(f"Models of type {model_type} have a head for none of the tasks.")
    return "masked-lm" if "masked-lm" in possible else possible[0]


def _config_class(model_type: str) -> Any:
    if model_type in CONFIG_MAPPING:
        return CONFIG_MAPPING[model_type]
    near = difflib.get_close_matches(model_type, list(CONFIG_MAPPING), n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise BadParameter(f"Parameter modelType: transformers has no type {model_type}.{hint}")


def _sizes(parameters: PretrainParameters, kind: Any, vocabulary: int) -> Sizes:
    wanted = Sizes(vocabulary=vocabulary, layers=parameters.layers, positions=parameters.context)
    if not (parameters.hidden_size or parameters.heads):
        return wanted
    default = vars(kind())
    width = parameters.hidden_size or first_int(default, WIDTHS)
    heads = parameters.heads or first_int(default, HEADS)
    if not heads or width % heads:
        raise BadParameter(f"Parameter hiddenSize: {width} doesn't divide by {heads} heads.")
    return Sizes(
        vocabulary=vocabulary,
        layers=parameters.layers,
        positions=parameters.context,
        heads=heads,
        head=width // heads,
    )


def _of_the_type(parameters: PretrainParameters) -> dict[str, Any]:
    """What says of each layer what it is, in a way of the type's own."""
    layers = parameters.layers
    known: dict[str, Callable[[], dict[str, Any]]] = {
        # axial positions are made for one length, and would fill every row up to it
        "reformer": lambda: {
            "axial_pos_embds": False,
            **({"attn_layers": _in_turn("reformer", layers)} if layers else {}),
        },
        "gpt_neo": lambda: (
            {"attention_types": [[_in_turn("gpt_neo", layers), 1]]} if layers else {}
        ),
    }
    return known.get(parameters.model_type, dict)()


def _in_turn(model_type: str, layers: int) -> list[str]:
    kinds = LOCAL_AND_GLOBAL[model_type]
    return [kinds[place % len(kinds)] for place in range(layers)]


def _tokens(tokenizer: Any, kind: Any) -> dict[str, Any]:
    """The tokenizer's special tokens, by the config's names."""
    begin, end, padding = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    found = {"bos_token_id": begin, "eos_token_id": end, "pad_token_id": padding}
    known = {name: token for name, token in found.items() if token is not None}
    if getattr(kind(), "is_encoder_decoder", False):
        known["decoder_start_token_id"] = end if padding is None else padding
    return known


def _check_sizes(config: Any, parameters: PretrainParameters, vocabulary: int) -> None:
    """Raises BadParameter if the type calls a size by a name that isn't known here."""
    part = config.get_text_config()
    wanted: Mapping[str, tuple[str, int | None]] = {
        "hiddenSize": ("hidden_size", parameters.hidden_size),
        "layers": ("num_hidden_layers", parameters.layers),
        "heads": ("num_attention_heads", parameters.heads),
        "vocabularySize": ("vocab_size", vocabulary),
    }
    for parameter, (field, size) in wanted.items():
        if field not in parameters.config and size not in (None, getattr(part, field, size)):
            raise BadParameter(
                f"Parameter {parameter}: models of type {parameters.model_type} take it otherwise "
                f"({field} is {getattr(part, field)}): give the fields of their config in config."
            )
