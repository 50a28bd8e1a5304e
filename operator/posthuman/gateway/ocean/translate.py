"""From a purchase to a job: the provider's workflow as a ComputeJob's spec. Pure.

What must not be read by everybody who may read a ComputeJob (user data, URLs, code) goes to the
content of a Secret that the spec names. Whatever is asked for is honoured or refused with a
sentence; nothing is dropped in silence but what upstream's own fields say twice (`documentId`,
`compute.namespace`, `output`'s addresses: results stay in the environment's store).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import JobInput, JobOrder, JobSpec, OrderRef
from posthuman.api.meta import NamedRef, SecretKeyRef
from posthuman.api.quantities import parse_duration_seconds
from posthuman.errors import UserError
from posthuman.gateway.ocean.algorithm import AlgorithmAsked, algorithm_of
from posthuman.gateway.ocean.builtins import as_wanted
from posthuman.gateway.ocean.custom import Custom, custom_of
from posthuman.gateway.ocean.fields import mapping, secret_text, sequence, whole_number, words
from posthuman.gateway.problems import Problem

RECORD_SECONDS = 30 * 24 * 3600  # a job is remembered so much longer than its results are kept
STAGE_PARTS = ("algorithm", "compute", "input", "output")


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the workflow. `secret_name`: of the Secret to be, in the job's
    namespace."""

    agreement_id: str
    owner: str
    chain_id: int
    valid_until: int  # epoch seconds; 0: no end
    secret_name: str


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be. `secret`: content by key; empty if nothing is secret."""

    spec: JobSpec
    secret: Mapping[str, bytes]
    algorithm_id: str
    input_ids: tuple[str, ...]


def stage_of(workflow: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one stage, whole. Raises Problem in upstream's words."""
    stages = workflow.get("stages")
    if not stages or not isinstance(stages, list):
        raise Problem(400, "Missing stages")
    if len(stages) > 1:
        raise Problem(400, "Multiple stages are not supported yet")
    stage = mapping(stages[0], "stages[0]")
    for part in STAGE_PARTS:
        if part not in stage:
            raise Problem(400, f"Missing {part} in stage 0")
    return stage


def translate(
    stage: Mapping[str, Any],
    purchase: Purchase,
    environment: ComputeEnvironment,
    now: datetime,
    models: Collection[str] = (),
) -> Translation:
    """`models`: DIDs of the environment's own assets. Raises UserError."""
    compute = mapping(stage["compute"], "compute")
    mapping(stage["output"], "output")
    asked = algorithm_of(mapping(stage["algorithm"], "algorithm"), purchase.secret_name)
    custom = custom_of(stage["algorithm"].get("algocustomdata"))
    inputs = _inputs(stage["input"], purchase.secret_name)
    wanted = as_wanted(asked.algorithm, [found.input for found in inputs], models)
    spec = JobSpec(
        environment_ref=NamedRef(name=environment.metadata.name),
        owner=purchase.owner,
        order=JobOrder(
            agreement_id=purchase.agreement_id,
            chain_id=purchase.chain_id,
            valid_until=purchase.valid_until,
        ),
        algorithm=asked.algorithm,
        inputs=(*wanted, *custom.uploads),
        parameters=custom.parameters,
        nodes=custom.nodes or whole_number(compute.get("Instances", 1), "compute.Instances"),
        gpus_per_node=_gpus(custom, environment),
        resources=custom.resources,
        timeout=_timeout(compute, purchase, environment, now),
        publish=custom.publish,
        ttl_seconds_after_finished=_ttl(environment),
    )
    return Translation(
        spec=spec,
        secret=_secret(asked, inputs),
        algorithm_id=asked.id,
        input_ids=tuple(dict.fromkeys(found.id for found in inputs if found.id)),
    )


def _ttl(environment: ComputeEnvironment) -> int | None:
    """For ever where results stay for ever."""
    retention = environment.spec.limits.result_retention
    return int(parse_duration_seconds(retention)) + RECORD_SECONDS if retention else None


def _gpus(custom: Custom, environment: ComputeEnvironment) -> int:
    """What `/environments` offers is what a job gets, unless it asks for less."""
    if custom.gpus_per_node is not None:
        return custom.gpus_per_node
    return environment.spec.hardware.gpus_per_node


def _timeout(
    compute: Mapping[str, Any], purchase: Purchase, environment: ComputeEnvironment, now: datetime
) -> str:
    """The least of maxtime, the environment's limit, and the time until the order ends. All count
    the algorithm's running time alone."""
    limits = [int(parse_duration_seconds(environment.spec.limits.max_duration))]
    if compute.get("maxtime") is not None:
        limits.append(whole_number(compute["maxtime"], "compute.maxtime"))
    if purchase.valid_until:
        left = purchase.valid_until - int(now.timestamp())
        if left <= 0:
            raise UserError(
                f"the order's validUntil {purchase.valid_until} is past; renew the order with "
                "initializeCompute and start the job again",
                "OrderExpired",
            )
        limits.append(left)
    return f"{min(limits)}s"


class _Input(msgspec.Struct, frozen=True, kw_only=True):
    input: JobInput
    id: str
    secret: str = ""


def _inputs(asked: object, secret_name: str) -> list[_Input]:
    found: list[_Input] = []
    for index, one in enumerate(sequence(asked, "input")):
        found += _one_input(mapping(one, f"input[{index}]"), index, secret_name)
    return found


def _one_input(asked: Mapping[str, Any], index: int, secret_name: str) -> list[_Input]:
    where = f"input[{index}]"
    did = words(asked.get("id"), f"{where}.id")
    if asked.get("remote") is None:
        return _by_url(asked, index, did, secret_name)
    remote = mapping(asked["remote"], f"{where}.remote")
    user_data = secret_text(remote.get("userdata", remote.get("userData")))
    name = f"input-{index}"
    order = OrderRef(
        tx_id=words(remote.get("txId"), f"{where}.remote.txId"),
        service_id=words(remote.get("serviceId"), f"{where}.remote.serviceId"),
    )
    reference = SecretKeyRef(name=secret_name, key=name) if user_data else None
    bought = JobInput(name=name, did=did, order=order, user_data_secret_ref=reference)
    return [_Input(input=bought, id=did, secret=user_data)]


def _by_url(asked: Mapping[str, Any], index: int, did: str, secret_name: str) -> list[_Input]:
    """As providers before v4 sent it: the files' URLs, which are as good as the files."""
    urls = asked.get("url")
    listed: Sequence[object] = [urls] if isinstance(urls, str) else sequence(urls, "url", index)
    if not listed:
        raise UserError(f"input[{index}] has neither `remote` nor `url`: it can't be fetched")
    found = []
    for number, url in enumerate(listed):
        name = f"input-{index}-{number}"
        reference = SecretKeyRef(name=secret_name, key=name)
        one = JobInput(name=name, kind="file", uri_secret_ref=reference)
        found.append(_Input(input=one, id=did, secret=words(url, f"input[{index}].url[{number}]")))
    return found


def _secret(asked: AlgorithmAsked, inputs: Sequence[_Input]) -> dict[str, bytes]:
    content = {found.input.name: found.secret.encode() for found in inputs if found.secret}
    return content | {key: text.encode() for key, text in asked.secret.items()}
