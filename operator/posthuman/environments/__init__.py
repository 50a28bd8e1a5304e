"""Capacity, limits, policy: "may this job run here, and why not"; an environment's own state."""
