"""The HTTP API for people without a provider: /api/v1/jobs, environments, assets and results.

A caller is a person known to Kubernetes (bearer token) or the holder of a wallet (a signature);
access.py alone says what either may see and do. Errors are RFC 9457 problems.
"""
