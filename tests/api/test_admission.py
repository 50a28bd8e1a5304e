"""`admit` on a laptop: the table of manifests, and what only a laptop decides."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from posthuman.api.admission import AdmissionError, admit
from posthuman.api.parse import KINDS, parse
from posthuman.api.schema import schema_of
from posthuman.errors import UserError
from tests.api.bodies import BOB, Body, environment, good, job, text_input
from tests.api.cases import BAD_RULES, GOOD, Case
from tests.api.changes import BAD_CHANGES
from tests.api.market import MARKET_BAD, MARKET_GOOD
from tests.api.shapes import BAD_SHAPES, UNKNOWN_FIELDS

FIELDS = st.sampled_from(
    sorted({name for kind in KINDS for name in schema_of(kind)["properties"]["spec"]["properties"]})
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("name"), inner),
    max_leaves=5,
)


def title(case: object) -> str:
    """What pytest calls a row."""
    return case.title if isinstance(case, Case) else ""


@pytest.mark.parametrize("case", [*GOOD, *MARKET_GOOD], ids=title)
def test_a_good_object_is_admitted_and_can_be_read(case: Case) -> None:
    stored = admit(case.body, case.old)
    parse(stored, KINDS[case.body["kind"]])
    assert admit(stored, stored) == stored


@pytest.mark.parametrize("case", [*BAD_SHAPES, *BAD_RULES, *MARKET_BAD, *BAD_CHANGES], ids=title)
def test_a_bad_object_is_refused_with_every_path_and_sentence(case: Case) -> None:
    with pytest.raises(AdmissionError) as refused:
        admit(case.body, case.old)
    errors = list(refused.value.errors)
    for path, words in case.errors:
        found = [error for error in errors if error.startswith(f"{path}: ") and words in error]
        assert len(found) == 1, (path, words, errors)
        errors.remove(found[0])
    assert errors == []


@pytest.mark.parametrize(("body", "sentence"), UNKNOWN_FIELDS)
def test_an_unknown_field_is_refused(body: Body, sentence: str) -> None:
    with pytest.raises(AdmissionError) as refused:
        admit(body)
    assert [error.partition(", did you mean")[0] for error in refused.value.errors] == [sentence]


def test_a_field_that_is_nearly_right_is_guessed() -> None:
    with pytest.raises(UserError, match=r'unknown field "spec\.gpuPerNode", did you mean "gpusPer'):
        admit(job(gpuPerNode=1))


def test_defaults_are_filled_in_without_touching_what_was_given() -> None:
    given = job(inputs=[text_input()])
    stored = admit(given)
    assert given == job(inputs=[text_input()])
    assert stored["spec"]["inputs"] == [text_input(kind="dataset")]
    assert stored["spec"]["nodes"] == 1


def test_a_status_is_the_operators_alone() -> None:
    written = job() | {"status": {"phase": "Succeeded"}}
    assert "status" not in admit(written)
    kept = admit(written, job() | {"status": {"phase": "Running"}})
    assert kept["status"]["phase"] == "Running"


def test_a_renamed_parameter_is_a_change() -> None:
    """The API server's CEL takes these two for equal; the chart's policy refuses them there."""
    with pytest.raises(UserError, match=r"spec\.parameters: Forbidden: a job can't be changed"):
        admit(job(parameters={"epochs": 5}), job(parameters={"steps": 5}))


def test_one_error_is_told_in_one_line_and_several_in_a_list() -> None:
    with pytest.raises(UserError, match=r'^ComputeJob "it" is invalid: spec\.owner: Invalid value'):
        admit(job(owner="bob", timeout="1h"))
    with pytest.raises(UserError, match=r"\n\* spec\.owner: .*\n\* spec\.timeout: "):
        admit(job(owner="bob", timeout="1d"))


def test_an_address_that_yaml_took_for_a_number_is_explained() -> None:
    with pytest.raises(UserError, match=r'of type string: "number"; write it in quotes'):
        admit(job(owner=int(BOB, 16)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "Job"}, 'kind: Unsupported value: "Job": supported values: "ComputeJob"'),
        ({"apiVersion": "v1"}, 'apiVersion: Unsupported value: "v1": supported values: "compute'),
        ({"metadata": {}}, "metadata.name: Required value"),
        ({"metadata": {"name": "a", "label": {}}}, 'unknown field "metadata.label", did you'),
        ({"metadata": {"name": "a", "labels": {"a": 1}}}, 'metadata.labels.a: Invalid value: "i'),
        ({"spec": []}, 'spec in body must be of type object: "array"'),
    ],
)
def test_the_frame_of_an_object_is_checked_too(changes: Body, sentence: str) -> None:
    with pytest.raises(AdmissionError) as refused:
        admit(job() | changes)
    assert any(sentence in error for error in refused.value.errors), refused.value.errors


def test_a_date_of_yaml_s_is_its_text() -> None:
    body = job(parameters=yaml.safe_load("{until: 2026-01-31, 5: x}"))
    assert admit(body)["spec"]["parameters"] == {"until": "2026-01-31", "5": "x"}


def test_what_json_can_t_hold_is_refused() -> None:
    with pytest.raises(UserError, match='"it" is invalid: no JSON can be made of it'):
        admit(job(parameters=yaml.safe_load("{~: 5}")))


@given(
    kind=st.sampled_from(sorted(KINDS)),
    spec=st.dictionaries(FIELDS, VALUES, max_size=6),
    status=VALUES,
)
def test_anything_is_admitted_or_refused_but_nothing_crashes(
    kind: str, spec: Body, status: object
) -> None:
    body = good(kind)
    body |= {"spec": body["spec"] | spec, "status": status}
    with contextlib.suppress(UserError):
        parse(admit(body), KINDS[kind])


def test_the_crds_can_lie_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHUMAN_CRDS", "/nowhere")
    with pytest.raises(UserError, match="no CRDs in /nowhere: set POSTHUMAN_CRDS to the folder"):
        admit(environment())
