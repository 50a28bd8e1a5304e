"""Images for the test cluster, made without a registry and without Docker."""
