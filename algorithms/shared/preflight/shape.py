"""A transformer's shape, by the many names that configurations give it.

Without a configuration (a manifest names type, count and dtype alone) it is guessed from the number
of parameters: about 12·L·h² lie in L layers of width h, and most models are some 128 times as wide
as they are deep (Kaplan et al., 2020, https://arxiv.org/abs/2001.08361, section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from algorithms.shared.preflight.facts import ModelFacts

WIDTH_TO_DEPTH = 128
PARAMETERS_A_LAYER = 12  # times width²: attention 4, feed-forward 8
USUAL_VOCABULARY = 50_000
LARGEST = 2**31  # a figure beyond it is no dimension

LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers")
DECODER_LAYERS = ("num_decoder_layers", "decoder_layers")
WIDTH = ("hidden_size", "n_embd", "d_model", "dim")
HEAD_WIDTH = ("head_dim", "d_kv")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads")
FEED_FORWARD = (
    "intermediate_size",
    "n_inner",
    "d_ff",
    "ffn_dim",
    "encoder_ffn_dim",
    "feed_forward_size",
    "hidden_dim",
)
COMPOSED_ACTIVATIONS = ("gelu_new", "gelu_fast", "quick_gelu")
KEEP_SCORES = frozenset(  # without scaled_dot_product_attention in transformers, of those in use
    {"bloom", "codegen", "gpt_neo", "gptj", "mpt", "openai-gpt", "rembert", "roformer", "xlnet"}
)
GATED_ACTIVATIONS = ("silu", "swish", "gated", "glu")  # as parts of the activation's name


@dataclass(frozen=True)
class Shape:
    """Widths in elements. `is_guess`: no configuration said it."""

    layers: int
    width: int
    attention_width: int  # of all heads together
    key_value_width: int
    feed_forward: int
    vocabulary: int
    heads: int = 1
    is_gated: bool = False  # the feed-forward part multiplies two of its inner values
    is_composed: bool = False  # its activation is written in Python, of several operations
    has_rms_norm: bool = False
    keeps_scores: bool = False  # attention's matrix is kept for the backward pass
    is_guess: bool = False


def shape_of(model: ModelFacts) -> Shape:
    """By the configuration, else by the number of parameters."""
    config = _text_part(model.config)
    layers, width = _number(config, LAYERS), _number(config, WIDTH)
    if not layers or not width:
        return _guess(model.parameter_count)
    return Shape(
        layers=layers + _number(config, DECODER_LAYERS),
        width=width,
        attention_width=_number(config, HEADS) * _number(config, HEAD_WIDTH) or width,
        key_value_width=_key_value_width(config, width),
        feed_forward=(_number(config, FEED_FORWARD) or 4 * width) * _experts_a_token(config),
        vocabulary=_number(config, ("vocab_size",)) or USUAL_VOCABULARY,
        heads=_number(config, HEADS) or 1,
        is_gated=_is_gated(config),
        is_composed=any(name in _activations(config) for name in COMPOSED_ACTIVATIONS),
        has_rms_norm="rms_norm_eps" in config,
        keeps_scores=model.model_type in KEEP_SCORES,
    )


def usual_count(shape: Shape) -> int:
    """Parameters of a model of that shape: attention, feed-forward part, embedding."""
    attention = 2 * shape.attention_width + 2 * shape.key_value_width
    feed_forward = (3 if shape.is_gated else 2) * shape.feed_forward
    layer = shape.width * (attention + feed_forward)
    return shape.layers * layer + shape.vocabulary * shape.width


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model of text and images describes its language model in a part of its own."""
    part = config.get("text_config")
    return part if isinstance(part, Mapping) else config


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """The first that is a positive integer; 0 if none is. Configurations are strangers' files."""
    found = (config.get(name) for name in names)
    fitting = (n for n in found if isinstance(n, int) and not isinstance(n, bool))
    return next((n for n in fitting if 0 < n < LARGEST), 0)


def _key_value_width(config: Mapping[str, Any], width: int) -> int:
    """Narrower than the model where heads share keys and values (grouped queries)."""
    heads, shared = _number(config, HEADS), _number(config, ("num_key_value_heads",))
    if not heads or not shared:
        return width
    return shared * (_number(config, HEAD_WIDTH) or max(1, width // heads))


def _experts_a_token(config: Mapping[str, Any]) -> int:
    """A mixture of experts computes this many feed-forward parts for each token."""
    return _number(config, ("num_experts_per_tok",)) or 1


def _is_gated(config: Mapping[str, Any]) -> bool:
    gemma = str(config.get("model_type", "")).startswith("gemma")
    return gemma or any(part in _activations(config) for part in GATED_ACTIVATIONS)


def _activations(config: Mapping[str, Any]) -> str:
    named = ("hidden_act", "hidden_activation", "activation_function", "feed_forward_proj")
    return " ".join(str(config.get(name, ""))[:64] for name in named).lower()


def _guess(parameter_count: int) -> Shape:
    """The count may be a stranger's: below 0 it is taken for 0."""
    cube = max(0, parameter_count) * WIDTH_TO_DEPTH / PARAMETERS_A_LAYER
    width = max(1, round(cube ** (1 / 3)))
    return Shape(
        layers=max(1, round(width / WIDTH_TO_DEPTH)),
        width=width,
        attention_width=width,
        key_value_width=width,
        feed_forward=4 * width,
        vocabulary=min(USUAL_VOCABULARY, max(1, parameter_count // (2 * width))),
        is_guess=True,
    )
