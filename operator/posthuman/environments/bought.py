"""Assets that a job buys elsewhere: named by DID, fetched through Ocean's provider. Pure.

The DDO says which service is bought and where it is served. An environment trusts one provider,
its own: a DDO that names another one could have its files fetched from anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, Container, OrderRef
from posthuman.api.meta import SecretKeyRef
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal, Verdict, Waiting

ALGORITHM = ""  # the name of what isn't an input
DEFAULT_PORTS = {"http": 80, "https": 443}
NO_PROVIDER = (
    "is no asset of this environment, and the environment buys nothing elsewhere; choose one whose "
    "spec.chain has providerUrl and consumerKeySecret"
)
DDO = Mapping[str, Any]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a job names by a DID of somebody else's. `input`: "" for the algorithm."""

    input: str
    did: str
    order: OrderRef | None = None
    user_data: SecretKeyRef | None = None

    @property
    def say(self) -> str:
        """How a sentence about it begins."""
        return f'input "{self.input}": ' if self.input else "algorithm: "


class Service(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of a DDO's service."""

    id: str
    type: str = ""
    service_endpoint: str = ""


class _Section(msgspec.Struct, frozen=True):
    entrypoint: str = ""
    image: str = ""
    tag: str = ""
    checksum: str = ""

    @property
    def reference(self) -> str:
        """With its tag, if it has one."""
        return f"{self.image}:{self.tag}" if self.tag else self.image


def bought(job: ComputeJob, own: Collection[str]) -> Iterator[Named]:
    """What comes through the provider; `own`: names of inputs that are assets of this
    environment."""
    for found in job.spec.inputs:
        if found.did and found.name not in own:
            yield Named(
                input=found.name,
                did=found.did,
                order=found.order,
                user_data=found.user_data_secret_ref,
            )
    algorithm = job.spec.algorithm
    if algorithm.did:
        yield Named(
            input=ALGORITHM,
            did=algorithm.did,
            order=algorithm.order,
            user_data=algorithm.user_data_secret_ref,
        )


def own_inputs(job: ComputeJob) -> frozenset[str]:
    """Of an accepted job, by its own record: inputs that lie in the environment's store."""
    return frozenset(found.name for found in job.status.inputs if found.prefix)


def review_bought(request: Request) -> Verdict:
    """The first refusal; else the first reason to wait; else None."""
    own = {name for name, asset in request.assets.items() if asset}
    return review_named(request.environment, bought(request.job, own), request.ddos)


def review_named(
    environment: ComputeEnvironment, named: Iterator[Named], ddos: Mapping[str, DDO]
) -> Verdict:
    """The same of a job that was accepted: a DDO may have changed since."""
    verdicts = [_one(environment, found, ddos.get(found.did)) for found in named]
    refusals = [verdict for verdict in verdicts if isinstance(verdict, Refusal)]
    return next(iter([*refusals, *(found for found in verdicts if found)]), None)


def _one(environment: ComputeEnvironment, named: Named, ddo: DDO | None) -> Verdict:
    chain = environment.spec.chain
    if named.input and (chain is None or not chain.provider_url):
        return None  # its asset may yet be published here: input_policy.py has it wait
    if chain is None or not chain.provider_url or chain.consumer_key_secret is None:
        return Refusal("NoProvider", f"{named.say}{named.did} {NO_PROVIDER}")
    if ddo is not None and named.input == ALGORITHM and is_in_image(ddo):
        return None
    if named.order is None:
        return Refusal(
            "OrderMissing",
            f"{named.say}{named.did} is bought, so the provider wants its order; name the order's "
            "transaction in order.txId",
        )
    if ddo is None:
        return Waiting(
            "AssetNotFound",
            f"{named.say}there is no asset {named.did}; publish it, or correct the DID",
        )
    return _served(named, ddo, chain.provider_url)


def _served(named: Named, ddo: DDO, provider_url: str) -> Verdict:
    service = service_of(named, ddo)
    if service is None:
        wanted = named.order.service_id if named.order else ""
        return Refusal(
            "ServiceNotFound",
            f"{named.say}{named.did} has no service {wanted!r}; name one of its own in "
            "order.serviceId",
        )
    if _host(service.service_endpoint) != _host(provider_url):
        return Refusal(
            "ProviderNotTrusted",
            f"{named.say}{named.did} is served by {service.service_endpoint or 'nobody'}, and this "
            f"environment trusts its own provider alone, {provider_url}; use an asset that is "
            "published there",
        )
    return None


def is_in_image(ddo: DDO) -> bool:
    """An algorithm that was published with `posthuman algorithm publish`: its container holds all
    of it, and there is nothing to fetch."""
    metadata = ddo.get("metadata")
    extra = metadata.get("additionalInformation") if isinstance(metadata, Mapping) else None
    ours = extra.get("posthuman") if isinstance(extra, Mapping) else None
    return isinstance(ours, Mapping) and bool(ours.get("programDigest"))


def service_of(named: Named, ddo: DDO) -> Service | None:
    """The one that was ordered; where the order names none, the first for compute, else the
    first."""
    services = _services(ddo)
    wanted = named.order.service_id if named.order else ""
    if wanted:
        return next((found for found in services if found.id == wanted), None)
    compute = (found for found in services if found.type == "compute")
    return next(compute, services[0] if services else None)


def _services(ddo: DDO) -> list[Service]:
    """Anybody may have written the DDO: what is no service is none."""
    try:
        return msgspec.convert(ddo.get("services", []), list[Service])
    except msgspec.ValidationError:
        return []


def _host(url: str) -> tuple[str, int | None]:
    """Host and port; the empty host for what is no URL."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", None


def review_container_section(request: Request) -> Verdict:
    """The job's container against the one that the algorithm's DDO names."""
    algorithm = request.job.spec.algorithm
    ddo = request.ddos.get(algorithm.did)
    if ddo is None or algorithm.container is None:
        return None
    said = _section_of(ddo)
    if said is None or not said.entrypoint:
        return None
    container = algorithm.container
    if said.checksum and not container.digest:
        return Refusal(
            "ContainerDiffers",
            f"algorithm: {algorithm.did} names its image by {said.checksum}; set container.digest",
        )
    if container.digest and not said.checksum:
        return Refusal(
            "ContainerDiffers",
            f"algorithm: {algorithm.did} names its image by {said.reference} alone, and a digest "
            "could be any image of that repository; leave container.digest out",
        )
    if not said.checksum and container.image != said.reference:
        return Refusal(
            "ContainerDiffers",
            f"algorithm: {algorithm.did} runs in {said.reference}, not in {container.image}; "
            "correct container.image",
        )
    if checksum_of(said.entrypoint, said.checksum) != section_checksum(container):
        return Refusal(
            "ContainerDiffers",
            f"algorithm: {algorithm.did} runs `{said.entrypoint}` in {said.checksum or said.image},"
            f" not `{container.entrypoint}` in {container.digest or container.image}; take "
            "container as its DDO has it",
        )
    return None


def section_checksum(container: Container) -> str:
    """Ocean's containerSectionChecksum of a job's container."""
    return checksum_of(container.entrypoint, container.digest)


def checksum_of(entrypoint: str, digest: str) -> str:
    """https://github.com/oceanprotocol/provider, validation/algo.py, get_algo_checksums."""
    return hashlib.sha256((entrypoint + digest).encode()).hexdigest()


def _section_of(ddo: DDO) -> _Section | None:
    metadata = ddo.get("metadata")
    algorithm = metadata.get("algorithm") if isinstance(metadata, Mapping) else None
    container = algorithm.get("container") if isinstance(algorithm, Mapping) else None
    try:
        return msgspec.convert(container, _Section) if container else None
    except msgspec.ValidationError:
        return None
