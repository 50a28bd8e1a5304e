"""Train a model further: six tasks, all weights or adapters, safe to interrupt."""
