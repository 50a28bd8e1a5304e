"""Train a model from nothing but its configuration, for any of the six tasks."""
