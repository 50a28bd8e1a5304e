"""What a caller asks for, as a ComputeJob. Pure.

A person may write what `kubectl apply` would take. A wallet's jobs lie side by side with other
owners' in the gateway's namespace, so they may name no Secret there (it could be another's) and no
purchase (Ocean's provider alone says what was bought), and each name carries a digest of its owner:
nobody can take, or find out, a name of somebody else's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from posthuman.api.admission import admit
from posthuman.api.job import ComputeJob
from posthuman.api.meta import API_VERSION
from posthuman.api.parse import parse
from posthuman.errors import UserError
from posthuman.gateway.people.callers import Caller, Wallet
from posthuman.gateway.settings import GatewaySettings

SHORT_NAME = 50  # of a job's 63: the rest is the dash and the digest
DIGEST_DIGITS = 12
FREE_FIELDS = ("suspend", "stop", "ttl_seconds_after_finished")  # may change after creation


class NewJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job to make. `spec` is a ComputeJob's, as docs/reference/computejob.md has it."""

    name: str
    spec: dict[str, Any]
    namespace: str = ""  # a person's choice; empty: the gateway's own


def job_of(new: NewJob, caller: Caller, settings: GatewaySettings) -> ComputeJob:
    """The object to create, admitted as the API server would. Raises UserError for what it, or this
    API, refuses."""
    namespace = new.namespace or settings.namespace
    if namespace not in settings.namespaces:
        served = ", ".join(settings.namespaces)
        raise UserError(
            f"this gateway doesn't serve namespace {namespace!r}; choose one of {served}",
            "NamespaceNotServed",
        )
    spec, name = new.spec, new.name
    if isinstance(caller, Wallet):
        spec, name = _spec_of(caller, spec), name_of(caller, name)
    body = {
        "apiVersion": API_VERSION,
        "kind": "ComputeJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    return parse(admit(body), ComputeJob)


def name_of(wallet: Wallet, name: str) -> str:
    """Of this owner's job in a namespace of many owners."""
    digest = hashlib.sha256(f"{wallet.address.lower()}/{name}".encode()).hexdigest()
    return f"{name[:SHORT_NAME]}-{digest[:DIGEST_DIGITS]}"


def same_job(found: ComputeJob, asked: ComputeJob) -> bool:
    """Whether the one that is there is the one that is asked for, as after a lost answer."""
    return _fixed(found) == _fixed(asked)


def _fixed(job: ComputeJob) -> dict[str, Any]:
    spec: dict[str, Any] = msgspec.structs.asdict(job.spec)
    return {field: value for field, value in spec.items() if field not in FREE_FIELDS}


def _spec_of(wallet: Wallet, spec: dict[str, Any]) -> dict[str, Any]:
    owner = spec.get("owner", wallet.address)
    if not isinstance(owner, str) or not wallet.owns(owner):
        raise UserError(
            f"spec.owner is {owner!r}, and {wallet.address} signed; leave it out, or sign with the "
            "owner's key",
            "OwnerNotAllowed",
        )
    if "order" in spec:
        raise UserError(
            "spec.order tells what was bought through Ocean's provider, which alone may say so; "
            "leave it out (inputs and the algorithm have orders of their own)",
            "OrderNotAllowed",
        )
    named = next(_secret_fields(spec), None)
    if named:
        raise UserError(
            f"spec.{named} names a Secret, and those of this namespace aren't yours; come with a "
            "bearer token and a namespace of your own, or do without",
            "SecretNotAllowed",
        )
    return {**spec, "owner": wallet.address}


def _secret_fields(value: Any, path: str = "") -> Iterator[str]:
    """Paths of all fields, parameters apart, that name a Secret: secretRef, uriSecretRef, …"""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secret_fields(item, f"{path}[{index}]")
    for name, inner in value.items() if isinstance(value, dict) else ():
        here = f"{path}.{name}" if path else name
        if name.lower().endswith("secretref"):
            yield here
        elif here != "parameters":
            yield from _secret_fields(inner, here)
