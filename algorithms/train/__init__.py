"""Train a causal language model further on text: next-token prediction over packed blocks."""
