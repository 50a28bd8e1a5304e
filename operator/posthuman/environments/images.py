"""Names of container images, as a policy allows them. Pure."""

from __future__ import annotations


def begins_with(reference: str, prefix: str) -> bool:
    """`ghcr.io/acme` is a beginning of ghcr.io/acme/x and of ghcr.io/acme:1, not of …/acme-evil."""
    rest = reference.removeprefix(prefix)
    return reference.startswith(prefix) and (not rest or prefix[-1] in "/:" or rest[0] in "/:")
