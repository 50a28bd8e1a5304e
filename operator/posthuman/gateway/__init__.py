"""Ocean's compute HTTP API and one for people, in front of ComputeJobs: signs nothing on chain."""
