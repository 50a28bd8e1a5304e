"""Models: loaded from a folder or made from a config, with LoRA, for any task and model type."""
