"""A job's life: decide (pure), the steps it wants (pure), and the reconcile that acts."""
