"""What a DDO sells and to which programs it trusts the model: the services in it, read. Pure.

Anybody may have written the DDO, so what isn't a DDO holds no service, and what it doesn't say is
not trusted. Ocean's lists have no place for a program's digest, so ours stand beside them, in the
service's `additionalInformation.posthuman` (ddo.py writes what is read here).
"""

from __future__ import annotations

import msgspec

from jobkit.nesting import is_shallow
from posthuman.api.asset import ServiceKind
from posthuman.api.job import ComputeJob, JobInput

ANY = "*"  # Ocean's word for "whichever", in either list
BUILTIN_SERVICES = {
    "train": ServiceKind.TRAIN,
    "pretrain": ServiceKind.TRAIN,
    "evaluate": ServiceKind.EVALUATE,
    "generate": ServiceKind.INFER,
    "question-answer": ServiceKind.INFER,
}


class TrustedAlgorithm(msgspec.Struct, frozen=True, rename="camel"):
    """An algorithm asset, as Ocean names one: an empty checksum trusts whatever it holds."""

    did: str
    files_checksum: str = ""
    container_section_checksum: str = ""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a service lets near the model. `publishers`: addresses, in small letters."""

    anything: bool = False
    builtins: bool = False
    programs: frozenset[str] = frozenset()  # "sha256:…" of image digest, entrypoint and args
    algorithms: tuple[TrustedAlgorithm, ...] = ()
    publishers: frozenset[str] = frozenset()


class ServiceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One service. `index`: its place in the DDO, as startOrder names it; `kind`: None for one that
    isn't ours; `timeout_seconds`: how long an order is good for, 0 for ever."""

    index: int
    id: str
    kind: ServiceKind | None
    datatoken: str
    timeout_seconds: int
    trust: Trust


class _Ours(msgspec.Struct, frozen=True, rename="camel"):
    builtins: bool = True
    trusted_programs: tuple[str, ...] = ()


class _Extra(msgspec.Struct, frozen=True):
    posthuman: _Ours = _Ours()


class _Compute(msgspec.Struct, frozen=True, rename="camel"):
    publisher_trusted_algorithms: tuple[TrustedAlgorithm | str, ...] | None = ()
    publisher_trusted_algorithm_publishers: tuple[str, ...] | None = ()


class _Service(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    datatoken_address: str = ""
    timeout: int = 0
    compute: _Compute | None = None
    additional_information: _Extra | None = None


class _DDO(msgspec.Struct, frozen=True):
    services: tuple[_Service, ...] = ()


def services_in(ddo: bytes) -> tuple[ServiceFacts, ...]:
    """In the DDO's order; none in bytes that are no DDO."""
    if not is_shallow(ddo.decode(errors="replace")):
        return ()
    try:
        services = msgspec.json.decode(ddo, type=_DDO).services
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()
    return tuple(_facts(index, found) for index, found in enumerate(services))


def service_needed(job: ComputeJob, found: JobInput) -> ServiceKind:
    """What the job must have bought of this input. A built-in says it by its name. A program of
    one's own that publishes a model trains; else it's what the order names, or inference."""
    builtin = job.spec.algorithm.builtin
    if builtin and builtin.name in BUILTIN_SERVICES:
        return BUILTIN_SERVICES[builtin.name]
    if job.spec.publish:
        return ServiceKind.TRAIN
    return kind_of(found.order.service_id if found.order else "") or ServiceKind.INFER


def kind_of(service_id: str) -> ServiceKind | None:
    """Of one of our services; None for anybody else's."""
    return ServiceKind(service_id) if service_id in list(ServiceKind) else None


def _facts(index: int, found: _Service) -> ServiceFacts:
    return ServiceFacts(
        index=index,
        id=found.id,
        kind=kind_of(found.id),
        datatoken=found.datatoken_address,
        timeout_seconds=found.timeout,
        trust=_trust(found),
    )


def _trust(found: _Service) -> Trust:
    compute = found.compute or _Compute()
    ours = found.additional_information.posthuman if found.additional_information else _Ours()
    algorithms = compute.publisher_trusted_algorithms or ()
    publishers = compute.publisher_trusted_algorithm_publishers or ()
    return Trust(
        anything=ANY in algorithms or ANY in publishers,
        builtins=ours.builtins,
        programs=frozenset(ours.trusted_programs),
        algorithms=tuple(known for known in algorithms if isinstance(known, TrustedAlgorithm)),
        publishers=frozenset(address.lower() for address in publishers),
    )
