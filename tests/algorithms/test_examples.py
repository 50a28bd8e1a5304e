"""Each algorithm's example job is one that the API takes, with parameters the algorithm takes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from algorithms.shared.parameters import Parameters, read_parameters
from posthuman.api.admission import admit
from posthuman.api.job import ComputeJob
from posthuman.api.parse import parse
from posthuman.environments.catalogue import read_catalogue
from tests.algorithms.conftest import ALGORITHMS, folder_of
from tests.algorithms.test_parameters import KINDS


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_the_example_job_would_be_accepted(name: str, kind: type[Parameters]) -> None:
    body: dict[str, Any] = yaml.safe_load((folder_of(name) / "job.yaml").read_text())
    job = parse(admit(body), ComputeJob)
    assert job.spec.algorithm.builtin is not None
    assert job.spec.algorithm.builtin.name == name
    read_parameters(job.spec.parameters, kind)
    given = {entry.name for entry in job.spec.inputs}
    assert set(read_catalogue(ALGORITHMS)[name].inputs) <= given
