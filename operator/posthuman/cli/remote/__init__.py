"""Jobs at a gateway: submit, jobs, logs, results, stop."""
