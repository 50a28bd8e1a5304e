"""The services that a DDO holds, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from posthuman.api.asset import ServiceKind
from posthuman.assets.services import TrustedAlgorithm, service_needed, services_in
from tests.builders import MODEL_INPUT, TEXT_INPUT, job

DID = "did:op:" + "7" * 64
PROGRAM = "sha256:" + "5" * 64


def ddo(*services: dict[str, Any]) -> bytes:
    return json.dumps({"id": DID, "services": services}).encode()


def test_index_id_and_timeout_are_the_ddos_own() -> None:
    found = services_in(
        ddo({"id": "infer", "timeout": 60, "datatokenAddress": "0x1"}, {"id": "a1b2", "timeout": 0})
    )
    assert [(one.index, one.id, one.timeout_seconds) for one in found] == [
        (0, "infer", 60),
        (1, "a1b2", 0),
    ]
    assert [one.kind for one in found] == [ServiceKind.INFER, None]
    assert found[0].datatoken == "0x1"


def test_trust_is_oceans_lists_and_our_own() -> None:
    compute = {
        "publisherTrustedAlgorithms": [
            {"did": DID, "filesChecksum": "f", "containerSectionChecksum": "c"}
        ],
        "publisherTrustedAlgorithmPublishers": ["0xAB"],
    }
    ours = {"posthuman": {"builtins": False, "trustedPrograms": [PROGRAM]}}
    (found,) = services_in(ddo({"id": "train", "compute": compute, "additionalInformation": ours}))
    assert found.trust.algorithms == (TrustedAlgorithm(DID, "f", "c"),)
    assert found.trust.publishers == {"0xab"}
    assert found.trust.programs == {PROGRAM}
    assert not found.trust.builtins
    assert not found.trust.anything


@pytest.mark.parametrize(
    "compute",
    [
        {"publisherTrustedAlgorithms": ["*"]},
        {"publisherTrustedAlgorithmPublishers": ["*"]},
    ],
)
def test_a_star_is_anything(compute: dict[str, Any]) -> None:
    (found,) = services_in(ddo({"id": "train", "compute": compute}))
    assert found.trust.anything


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xff",
        b'{"services":[{"id":"\xff"}]}',
        b"[]",
        b'{"services":1}',
        b"[" * 100_000,
        ddo({"id": 5}),
        ddo({"timeout": 1}),
    ],
)
def test_what_is_no_ddo_sells_nothing(hostile: bytes) -> None:
    assert services_in(hostile) == ()


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({"algorithm": {"builtin": {"name": "train"}}}, ServiceKind.TRAIN),
        ({"algorithm": {"builtin": {"name": "evaluate"}}}, ServiceKind.EVALUATE),
        ({"algorithm": {"builtin": {"name": "generate"}}}, ServiceKind.INFER),
        ({"algorithm": {"image": {"reference": "x"}}}, ServiceKind.INFER),
        (
            {
                "algorithm": {"image": {"reference": "x"}},
                "publish": {"name": "A model", "description": "of one's own"},
            },
            ServiceKind.TRAIN,
        ),
    ],
)
def test_what_a_job_needs_of_a_model(spec: dict[str, Any], kind: ServiceKind) -> None:
    wanted = job(inputs=[MODEL_INPUT, TEXT_INPUT], **spec)
    assert service_needed(wanted, wanted.spec.inputs[0]) is kind


def test_an_order_says_what_a_program_of_ones_own_does_but_never_what_a_built_in_does() -> None:
    model = {**MODEL_INPUT, "order": {"txId": "0x1", "serviceId": "evaluate"}}
    own = job(inputs=[model], algorithm={"image": {"reference": "x"}})
    assert service_needed(own, own.spec.inputs[0]) is ServiceKind.EVALUATE
    builtin = job(inputs=[model], algorithm={"builtin": {"name": "train"}})
    assert service_needed(builtin, builtin.spec.inputs[0]) is ServiceKind.TRAIN
