"""For whom a namespace may act in an environment: jobs and assets ask the same question. Pure."""

from __future__ import annotations

from posthuman.api.environment import ComputeEnvironment
from posthuman.environments.verdict import Refusal


def review_tenant(environment: ComputeEnvironment, namespace: str, owner: str) -> Refusal | None:
    """None where policy.tenants is empty, or names the namespace and (if any owners) the owner."""
    tenants = environment.spec.policy.tenants
    own = [found for found in tenants if found.namespace == namespace]
    if tenants and not own:
        return Refusal(
            "NamespaceNotAllowed",
            f'namespace "{namespace}" is no tenant of environment '
            f'"{environment.metadata.name}"; ask its admin to add it to policy.tenants',
        )
    owners = {address.lower() for found in own for address in found.owners}
    if owners and owner.lower() not in owners:
        return Refusal(
            "OwnerNotAllowed",
            f'namespace "{namespace}" may not act for {owner}; '
            "use an address of yours, or ask the environment's admin",
        )
    return None
