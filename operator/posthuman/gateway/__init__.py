"""Ocean's compute HTTP API, and one for people, in front of ComputeJobs. It signs nothing on chain."""
