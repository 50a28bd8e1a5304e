"""What can't be derived: fields that must agree in a way of one type's own."""

from __future__ import annotations

from typing import Any

OVERRIDES: dict[str, dict[str, Any]] = {
    "deepseek_v2": {"num_experts_per_tok": 2},
    "esm": {"vocab_size": 262},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 8},  # 4 x 4 + 2 x 8 = the width
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "qwen4_exp_text": {
        "indexer_n_heads": 4,
        "indexer_kv_heads": 2,
        "indexer_head_dim": 8,
        "indexer_budget": 16,
        "indexer_compress_ratio": 4,
    },
    "reformer": {
        "attn_layers": ["local", "lsh"],
        "axial_pos_shape": [4, 16],
        "axial_pos_embds_dim": [8, 24],
    },
    "xmod": {"default_language": "en_XX"},
}
