"""Models and machines that the estimates are tried on."""

from __future__ import annotations

from algorithms.shared.preflight.facts import Hardware, ModelFacts

GB = 10**9
A100S = Hardware(1, 8, 8, 80 * GB, 900 * GB)
ONE_A100 = Hardware(1, 1, 1, 80 * GB, 120 * GB)
CPU = Hardware(1, 0, 1, 0, 8 * GB)

GPTJ = ModelFacts(
    "gptj",
    6_050_882_784,
    "bfloat16",
    {
        "n_layer": 28,
        "n_embd": 4096,
        "n_head": 16,
        "vocab_size": 50400,
        "activation_function": "gelu_new",
    },
)
GPT2 = ModelFacts(
    "gpt2",
    124_439_808,
    "float32",
    {"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257, "hidden_act": "gelu"},
)


def of_size(billions: float, model_type: str = "llama") -> ModelFacts:
    """As a manifest tells: type, count, dtype."""
    return ModelFacts(model_type, round(billions * GB), "bfloat16")
