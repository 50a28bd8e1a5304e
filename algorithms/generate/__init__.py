"""Continue prompts with a causal language model: top-p, top-k, temperature."""
