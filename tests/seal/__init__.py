"""The seal, looked at from inside a worker on the real cluster."""
