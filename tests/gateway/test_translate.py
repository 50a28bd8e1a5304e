"""From a purchase to a job: everything asked for is honoured, or refused with a sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posthuman.api.admission import admit
from posthuman.api.job import ComputeJob, Container, OrderRef
from posthuman.api.meta import Meta, SecretKeyRef
from posthuman.api.parse import dump
from posthuman.errors import UserError
from posthuman.gateway.ocean.translate import Purchase, Translation, stage_of, translate
from posthuman.gateway.problems import Problem
from tests import builders
from tests.builders import BOB, NOW
from tests.gateway.provider import (
    ALGORITHM_DID,
    ALGORITHM_ORDER,
    CHECKSUM,
    DATA_DID,
    ORDER,
    Body,
    bought_algorithm,
    container,
    raw_algorithm,
    workflow,
)
from tests.gateway.test_shapes import COMPUTE
from tests.gateway.world import World

VALID_UNTIL = int((NOW + timedelta(hours=3)).timestamp())


def translated(
    valid_until: int = VALID_UNTIL, limits: Body | None = None, **stage: Any
) -> Translation:
    """Of a workflow with these parts, in an environment with these limits."""
    purchase = Purchase(
        agreement_id=ALGORITHM_ORDER,
        owner=BOB,
        chain_id=8996,
        valid_until=valid_until,
        secret_name="s",
    )
    place = builders.environment(limits=limits or {})
    return translate(stage_of(workflow(**stage)), purchase, place, NOW)


def data(userdata: Any = None, did: str = DATA_DID) -> Body:
    remote: Body = {"txId": ORDER, "serviceId": "service-0"}
    return {"index": 0, "id": did, "remote": remote | ({"userdata": userdata} if userdata else {})}


def test_a_purchase_by_dids() -> None:
    found = translated()
    spec = found.spec
    assert (spec.owner, spec.environment_ref.name) == (BOB, "a100")
    assert spec.order is not None
    assert (spec.order.agreement_id, spec.order.valid_until) == (ALGORITHM_ORDER, VALID_UNTIL)
    assert spec.algorithm.did == ALGORITHM_DID
    assert spec.algorithm.order == OrderRef(tx_id=ALGORITHM_ORDER, service_id="service-1")
    assert spec.algorithm.container == Container(
        image="oceanprotocol/algo_dockers:python-branin",
        digest=CHECKSUM,
        entrypoint="python $ALGO",
    )
    assert [(one.did, one.order) for one in spec.inputs] == [
        (DATA_DID, OrderRef(tx_id=ORDER, service_id="service-0"))
    ]
    assert not found.secret


def test_user_data_goes_to_a_secret_as_it_came() -> None:
    asked = [data('{"surname":"XXX"}'), data({"test_key": "value"}, did="did:op:" + "e" * 64)]
    algorithm = bought_algorithm()
    algorithm["remote"]["userData"] = "of the algorithm"
    found = translated(input=asked, algorithm=algorithm)
    assert found.secret == {
        "input-0": b'{"surname":"XXX"}',
        "input-1": b'{"test_key":"value"}',
        "algorithm": b"of the algorithm",
    }
    references = [one.user_data_secret_ref for one in found.spec.inputs]
    assert references == [SecretKeyRef(name="s", key=f"input-{index}") for index in range(2)]
    assert "surname" not in str(found.spec)


def test_raw_code_goes_to_a_secret() -> None:
    found = translated(algorithm=raw_algorithm(rawcode="print('secret')"))
    assert found.secret == {"algorithm": b"print('secret')"}
    raw = found.spec.algorithm.raw
    assert raw is not None
    assert raw.secret_ref == SecretKeyRef(name="s", key="algorithm")
    assert found.algorithm_id == ""


def test_code_at_a_url_is_fetched_unless_the_url_tells_secrets() -> None:
    open_url = "https://example.org/algo.py"
    found = translated(algorithm=raw_algorithm(rawcode="", url=open_url))
    assert found.spec.algorithm.raw is not None
    assert found.spec.algorithm.raw.uri == open_url
    for signed in (f"{open_url}?signature=1", "https://me:word@example.org/algo.py"):
        with pytest.raises(UserError, match="others could read"):
            translated(algorithm=raw_algorithm(rawcode="", url=signed))


def test_files_by_url_are_as_secret_as_their_urls() -> None:
    urls = ["https://example.org/1?sig=x", "https://example.org/2?sig=y"]
    found = translated(input=[{"index": 0, "id": DATA_DID, "url": urls}])
    assert list(found.secret.values()) == [url.encode() for url in urls]
    assert "sig=" not in str(found.spec)
    assert found.input_ids == (DATA_DID,)


def test_what_providers_before_v4_sent_is_still_a_job() -> None:
    """The example of operator-service's own tests: URLs, no orders, no checksum."""
    algorithm = {
        "id": ALGORITHM_DID,
        "url": "https://raw.githubusercontent.com/oceanprotocol/test-algorithm/algo.js",
        "rawcode": "console.log('this is a test')",
        "container": {"entrypoint": "node $ALGO", "image": "node", "tag": "10"},
    }
    output = {"owner": BOB, "publishOutput": True, "publishAlgorithmLog": True}
    urls = ["https://data.ok.gov/codes_3.csv"]
    found = translated(
        algorithm=algorithm, output=output, input=[{"id": DATA_DID, "index": 0, "url": urls}]
    )
    assert found.secret["algorithm"] == b"console.log('this is a test')"
    assert found.spec.algorithm.container == Container(image="node:10", entrypoint="node $ALGO")
    assert (found.algorithm_id, found.input_ids) == (ALGORITHM_DID, (DATA_DID,))


@pytest.mark.parametrize(
    ("compute", "limit", "valid_for", "timeout"),
    [
        ({"Instances": 1, "maxtime": 3600}, "24h", 3 * 3600, "3600s"),
        ({"Instances": 1, "maxtime": "3600"}, "24h", 0, "3600s"),
        ({"Instances": 1, "maxtime": 3600}, "30m", 3 * 3600, "1800s"),
        ({"Instances": 1}, "24h", 600, "600s"),
        ({}, "2h", 0, "7200s"),
    ],
)
def test_the_shortest_limit_of_time_counts(
    compute: Body, limit: str, valid_for: int, timeout: str
) -> None:
    valid_until = int(NOW.timestamp()) + valid_for if valid_for else 0
    found = translated(valid_until, {"maxDuration": limit}, compute=compute)
    assert found.spec.timeout == timeout


def test_an_order_that_is_over_starts_nothing() -> None:
    with pytest.raises(UserError, match="renew the order"):
        translated(int(NOW.timestamp()) - 1)


def test_instances_are_nodes_and_offered_gpus_are_asked_for() -> None:
    assert translated(compute={"Instances": 3}).spec.nodes == 3
    assert translated().spec.gpus_per_node == 8
    modest = bought_algorithm(algocustomdata={"resources": {"gpusPerNode": 1, "memory": "8Gi"}})
    spec = translated(algorithm=modest).spec
    assert (spec.gpus_per_node, spec.resources.memory) == (1, "8Gi")


def test_parameters_and_publication() -> None:
    publish = {"name": "Mine", "description": "trained", "reward": "200"}
    asked = {"steps": 500, "publish": publish}
    for form in (asked, '{"steps": 500, "publish": ' + str(publish).replace("'", '"') + "}"):
        spec = translated(algorithm=bought_algorithm(algocustomdata=form)).spec
        assert spec.parameters == {"steps": 500}
        assert spec.publish is not None
        assert (spec.publish.name, spec.publish.reward) == ("Mine", "200")


def test_jobs_are_remembered_longer_than_their_results() -> None:
    assert translated().spec.ttl_seconds_after_finished is None
    kept = translated(limits={"resultRetention": "72h"}).spec.ttl_seconds_after_finished
    assert kept is not None
    assert kept > 72 * 3600


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({"algorithm": raw_algorithm(rawcode="")}, "nothing to run"),
        ({"algorithm": raw_algorithm(rawcode="x" * 800_000)}, "more than 768 KiB"),
        ({"algorithm": raw_algorithm(container=None)}, "container"),
        ({"algorithm": raw_algorithm(container={})}, "needs an image and an entrypoint"),
        ({"algorithm": raw_algorithm(container=container(checksum="md5:1"))}, "checksum"),
        ({"algorithm": bought_algorithm(remote="x")}, "algorithm.remote"),
        ({"algorithm": bought_algorithm(algocustomdata=[1])}, "algocustomdata"),
        ({"algorithm": bought_algorithm(algocustomdata="no")}, "no JSON"),
        ({"algorithm": bought_algorithm(algocustomdata={"publish": {"name": 1}})}, "publish"),
        (
            {
                "algorithm": bought_algorithm(
                    algocustomdata={"publish": {"name": "a", "description": "b", "maxSupply": "1"}}
                )
            },
            "knows no maxSupply",
        ),
        ({"input": [{"id": DATA_DID}]}, "can't be fetched"),
        ({"input": ["x"]}, "input"),
        ({"compute": {"Instances": 0}}, "Instances"),
        ({"compute": {"maxtime": "soon"}}, "maxtime"),
        ({"output": "x"}, "output"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(stage: Body, words: str) -> None:
    with pytest.raises(UserError, match=words):
        translated(**stage)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
PARTS = ("input", "compute", "algorithm", "output")
FIELDS = ("id", "url", "rawcode", "container", "remote", "algocustomdata", "algouserdata")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(part=st.sampled_from(PARTS), value=JSON, field=st.sampled_from(FIELDS))
def test_no_workflow_breaks_the_translation(part: str, value: Any, field: str) -> None:
    for stage in ({part: value}, {"algorithm": bought_algorithm() | {field: value}}):
        try:
            translated(**stage)
        except (UserError, Problem) as refused:
            assert str(refused)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.lists(JSON, min_size=4, max_size=4))
async def test_no_purchase_breaks_the_gateway(values: list[Any]) -> None:
    world = World()
    async with world.client() as client:
        for name in ("workflow", "agreementId", "owner", "environment", "chainId", "validUntil"):
            for value in values:
                body = world.provider.start() | {name: value}
                owner = body["owner"] if isinstance(body["owner"], str) else ""
                answer = await client.post(COMPUTE, json=body | world.provider.signed(owner))
                assert answer.status_code in (200, 400, 401)
                assert isinstance(answer.json(), list) == (answer.status_code == 200)


def test_a_job_made_of_it_is_one_that_the_crd_admits() -> None:
    made = translated(input=[data("u")], algorithm=raw_algorithm())
    meta = Meta(name="a" * 32, namespace="ocean", annotations={"a": "b"})
    body = msgspec.json.encode(dump(ComputeJob(metadata=meta, spec=made.spec)))
    admit(msgspec.json.decode(body))
