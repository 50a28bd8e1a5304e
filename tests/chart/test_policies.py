"""What the chart's admission policies refuse on a real API server, and what they let pass."""

from __future__ import annotations

import pytest

from tests.api.bodies import BOB, DID, asset
from tests.chart.real import DRY, Installation, changed
from tests.chart.verdicts import refusal

pytestmark = pytest.mark.cluster

FROZEN = "spec.parameters: a job can't be changed once it is made"
OPERATORS_OWN = {
    "publicationId": "p-1",
    "parents": [DID],
    "reward": {"to": BOB, "amount": "200"},
    "jobUid": "u-1",
}


@pytest.mark.parametrize(("field", "value"), OPERATORS_OWN.items())
def test_only_the_operator_sets_lineage_and_rewards(
    chart: Installation, field: str, value: object
) -> None:
    body = asset(**{field: value})
    said = refusal(lambda: chart.create(body, **DRY))
    assert f"spec.{field} is the operator's alone to set; leave it out" in said
    chart.create(body, user=chart.account, **DRY)


def test_a_person_publishes_a_model(chart: Installation) -> None:
    chart.create(asset(), **DRY)


def test_a_job_s_parameters_can_t_be_renamed(chart: Installation) -> None:
    renamed = changed(chart.read("ComputeJob", "it"), parameters={"epochs": 5})
    assert FROZEN in refusal(lambda: chart.replace(renamed, **DRY))


def test_a_job_can_be_suspended_and_stopped(chart: Installation) -> None:
    found = chart.read("ComputeJob", "it")
    chart.replace(changed(found, suspend=True, stop=True, ttlSecondsAfterFinished=1), **DRY)
