"""Fixtures for the real things that tests run against: cluster, chain, object store."""
