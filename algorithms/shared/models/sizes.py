"""A configuration of wanted sizes for any model type, derived from the type's own defaults.

Nothing is written for one type: each size-like field of the default configuration is set by what
its name says it is (a width, heads, layers, experts, …), in its parts too. `pretrain` makes models
of a wanted size with it; the tests make tiny ones of every type.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Sizes:
    """None leaves what the type has by default. The width is heads x head."""

    vocabulary: int | None = None
    heads: int | None = None
    head: int | None = None  # width of one head
    shared_heads: int | None = None  # key-value heads; None: as many to a head as by default
    layers: int | None = None
    positions: int | None = None  # tokens
    inner: int | None = None  # width between two layers; None: in proportion to the width
    part: int | None = None  # of the further dimensions within a head, heads of other kinds, ranks
    experts: int | None = None
    window: int | None = None  # tokens, at most
    expand: int | None = None  # of a state-space layer
    unknown: int | None = None  # instead of anything else that is larger than LARGEST_UNKNOWN
    unset: Literal["leave", "change", "fill"] = "leave"  # fields that are None unless given

    @property
    def width(self) -> int | None:
        return self.heads * self.head if self.heads and self.head else None


# The first pattern that a field's name matches says what it is; "" leaves it as it is.
RULES: tuple[tuple[str, str], ...] = (
    (r"type_vocab_size|pretraining_tp|chunk_size_feed_forward|seed|num_labels", ""),
    (r"num_kv_shared_layers", "none"),
    (r"(token_id|token_index|token_ids|_pad_id|mask_index|unk_index|lang_id)$", "token"),
    (r"vocab", "vocabulary"),
    (r"experts?_per_tok(en)?$|^moe_top_?k$|^moe_k$|^top_k$|num_experts_per_tok", "few"),
    (r"^(n_group|topk_group|num_expert_group)$", "one"),
    (r"shared_experts?$|zero_expert_num|ngram|split_", "few"),
    (r"num_(local_|routed_)?experts|n_routed_experts|num_experts|moe_num_experts", "experts"),
    (r"(key_value_heads|kv_heads|kv_n_heads|num_query_groups)$", "shared_heads"),
    (r"^(num_|n_)?(encoder_|decoder_)?(attention_)?heads?$|^num_heads$", "heads"),
    (r"^num_(en|de)coder_attention_heads$|heads_per_layer$", "heads"),
    (r"heads$", "other_heads"),
    (r"^(head_dim|d_head|dim_head|d_kv|kv_channels|attention_head_size)$", "head"),
    (r"^rotary_dim$", "rotary"),
    (r"head_dim$|head_size$|headdim$|^mamba_d_head$|query_pre_attn|^d_rel$", "part"),
    (r"^(num_hidden_|num_|n_)?(encoder_|decoder_)?layers?$", "layers"),
    (r"layers?$|num_blocks", "fewer_layers"),
    (r"intermediate_size|ffn|feed_?forward_size|^d_ff$|^d_inner$|^n_inner$|^dff$", "inner"),
    (r"^dim_ff$|^mlp_dim$|^hidden_dim$|moe_\w*size", "inner"),
    (r"^(max_(en|de)coder_)?(max_)?position_embeddings$|^n_positions$|^n_ctx$", "positions"),
    (r"^context_length$|^max_seq_len$|^max_source_positions$|^max_target_positions$", "positions"),
    (r"max_\w*position|max_seq", "fewer_positions"),
    (r"rank$", "part"),
    (r"window|chunk_(size|length)|block_size|local_attention|_radius|topk$|extent$", "window"),
    (r"^(mamba_)?expand$", "expand"),
    (
        r"hidden_size|^d_model$|^n_embd$|^dim$|emb_dim|embed_dim|embedding_size|embed_proj_dim",
        "width",
    ),
    (r"lru_width|embedding_dim|^d_latents$|bottleneck_size", "width"),
    (r"(input|output|_in|_out)_dim$|_emb_size$", "width"),
    (r"state_size|d_state|lowrank", "part"),
)
LARGEST_UNKNOWN = 2048
WIDTHS = ("hidden_size", "d_model", "n_embd", "dim", "emb_dim")
HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
FILLED = ("vocabulary", "heads", "shared_heads", "head", "inner", "experts", "few", "part")


def sized_config(kind: Any, sizes: Sizes, overrides: Mapping[str, Any]) -> Any:
    """Of a configuration class; `overrides` by field. Raises what the class raises."""
    return kind(**{**sized_fields(kind, sizes), **overrides})


def sized_fields(kind: Any, sizes: Sizes) -> dict[str, Any]:
    """Arguments for the class: its defaults, in the wanted sizes."""
    default = kind()
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    own = {name: value for name, value in vars(default).items() if name in fields}
    if sizes.unset == "leave":
        own = {n: v for n, v in own.items() if type(v) is not int or fields[n].default is not None}
    return _Deriving(own, sizes).fields()


class _Deriving:
    """One configuration's fields."""

    def __init__(self, own: Mapping[str, Any], sizes: Sizes) -> None:
        self._own = own
        self._layers = first_int(own, LAYERS)
        if sizes.layers:
            sizes = dataclasses.replace(sizes, layers=max(sizes.layers, self._kinds_of_layers()))
        self._sizes = sizes

    def fields(self) -> dict[str, Any]:
        sized = {name: self._field(name, value) for name, value in self._own.items()}
        return {name: value for name, value in sized.items() if value is not None}

    def _field(self, name: str, value: Any) -> Any:
        """None: leave the default."""
        if isinstance(value, PreTrainedConfig):
            return {"model_type": value.model_type, **sized_fields(type(value), self._sizes)}
        if isinstance(value, list | tuple) and self._layers and len(value) == self._layers:
            return type(value)(self._of_each_layer(name, list(value)))
        if value is None and self._sizes.unset == "fill" and _kind(name) in FILLED:
            return self._sized(name, 1 << 30)
        return self._sized(name, value) if type(value) is int else None

    def _sized(self, name: str, value: int) -> int | None:
        kind, sizes = _kind(name), self._sizes
        if value <= 0 or not kind:
            return None
        match kind:
            case "one" | "none":
                return None if sizes.experts is None else int(kind == "one")
            case "few":
                return None if sizes.experts is None else min(2, value)
            case "token":
                return _fewer(sizes.vocabulary and sizes.vocabulary - 1, value)
            case "experts" | "window" | "fewer_layers" | "fewer_positions" | "rotary":
                name = {"rotary": "head"}.get(kind, kind.removeprefix("fewer_"))
                return _fewer(getattr(sizes, name), value)
            case "other_heads":
                return sizes.part and sizes.heads
            case "shared_heads":
                return self._shared_heads(value)
            case "inner":
                return sizes.inner or self._in_proportion(value)
            case "unknown":
                return sizes.unknown if value > LARGEST_UNKNOWN else None
        exact: int | None = getattr(sizes, kind)
        return exact

    def _shared_heads(self, value: int) -> int | None:
        if self._sizes.shared_heads or not self._sizes.heads:
            return _fewer(self._sizes.shared_heads, value)
        sharing = max(1, (first_int(self._own, HEADS) or value) // value)
        return max(1, self._sizes.heads // sharing)

    def _in_proportion(self, value: int) -> int | None:
        """A multiple of 8, as matrix units like it."""
        own, wanted = first_int(self._own, WIDTHS), self._sizes.width
        return max(8, round(value * wanted / own / 8) * 8) if own and wanted else None

    def _kinds_of_layers(self) -> int:
        """The most different names in a list that has one for each layer."""
        lists = [v for v in self._own.values() if isinstance(v, list | tuple)]
        named = [v for v in lists if len(v) == self._layers and _named(v)]
        return max((len(set(each)) for each in named), default=0)

    def _of_each_layer(self, name: str, values: list[Any]) -> list[Any]:
        """As many as there are layers: of names the kinds in their order, again and again."""
        count = self._sizes.layers or len(values)
        kinds = list(dict.fromkeys(values)) if _named(values) else values
        sized = [self._sized(name, v) or v if type(v) is int else v for v in kinds]
        return [sized[place % len(sized)] for place in range(count)]


def first_int(fields: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """The first of these that is a number; else 0."""
    values = (fields.get(name) for name in names)
    return next((value for value in values if isinstance(value, int)), 0)


def _kind(name: str) -> str:
    return next((kind for pattern, kind in RULES if re.search(pattern, name)), "unknown")


def _fewer(limit: int | None, value: int) -> int | None:
    return None if limit is None else min(limit, value)


def _named(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)
