"""Which provider signed a request, and for which environments it may speak."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.gateway.nonces import SignedRequest
from posthuman.gateway.ocean.arguments import AnyRequest, Arguments
from posthuman.gateway.problems import Problem
from posthuman.gateway.service import Gateway
from posthuman.gateway.signatures import (
    message_of,
    nonce_number,
    nonce_text,
    recover,
)

NOT_RECOVERED = "Failed to recover address"


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, and what it asks for."""

    address: str  # in lower case
    environments: frozenset[str]  # names of those that allow it
    request: SignedRequest

    def may_see(self, job: ComputeJob) -> bool:
        """Jobs of the environments that allow it, made through a provider."""
        return job.spec.order is not None and job.spec.environment_ref.name in self.environments


def signer_of(
    request: AnyRequest,
    arguments: Arguments,
    environments: Sequence[ComputeEnvironment],
    *,
    with_job: bool = True,
) -> Signer:
    """`environments`: those that the request may be about. Raises Problem: 400 where no address
    signed it, 401 where the signer isn't allowed in any of them."""
    try:
        nonce = nonce_text(arguments.get("nonce"))
        number = nonce_number(nonce)
        recovered = _recovered(arguments, nonce, with_job)
    except ValueError as error:
        raise Problem(400, NOT_RECOVERED) from error
    for address in recovered.values():
        allowed = {e.metadata.name for e in environments if address in _providers(e)}
        if allowed:
            signed = SignedRequest(
                signer=address,
                nonce=number,
                method=request.method,
                route=request.url.path,
                arguments=_canonical(arguments),
            )
            return Signer(address=address, environments=frozenset(allowed), request=signed)
    message, address = next(iter(recovered.items()))
    raise Problem(401, _not_allowed(arguments, message, address, environments))


async def bind(gateway: Gateway, signer: Signer, *, changes: bool) -> None:
    """The nonce to the request. Raises Problem."""
    await gateway.nonces.bind(signer.request, changes=changes)


def _providers(environment: ComputeEnvironment) -> Collection[str]:
    return {address.lower() for address in environment.spec.policy.allowed_providers}


def _recovered(arguments: Arguments, nonce: str, with_job: bool) -> dict[str, str]:
    """Address by message. Upstream reads an owner that isn't named as "None". Raises ValueError."""
    job_id = _signed_text(arguments.get("jobId")) if with_job else ""
    owners = [owner] if (owner := _signed_text(arguments.get("owner"))) else ["", "None"]
    messages = [message_of(owner, job_id, nonce) for owner in owners]
    return {message: recover(arguments.get("providerSignature"), message) for message in messages}


def _signed_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _canonical(arguments: Arguments) -> bytes:
    """All of them in a fixed order, but for the signature: whoever signs anew asks the same."""
    named = {name: value for name, value in arguments.items() if name != "providerSignature"}
    return msgspec.json.encode(named, order="deterministic")


def _not_allowed(
    arguments: Arguments, message: str, address: str, environments: Sequence[ComputeEnvironment]
) -> str:
    """Upstream's words, and what to do."""
    advice = "ask the admin to name it in the environment's policy.allowedProviders"
    if not any(e.spec.policy.allowed_providers for e in environments):
        advice = f"no environment here allows any provider yet: {advice}"
    return (
        f"Invalid signature {arguments.get('providerSignature')} of documentId {message},"
        f"the signing ethereum account {address} is not authorized to use this service. {advice}"
    )
