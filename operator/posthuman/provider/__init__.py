"""The Provider port over Ocean's provider and metadata cache, by HTTP."""
