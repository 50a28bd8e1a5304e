"""What a model can be trained and judged for: one module a task, all behind `ModelTask`."""
