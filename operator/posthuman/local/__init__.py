"""The embedded default: the same ports on one machine, steps as processes, no cluster, no root."""
