"""The same table on a real API server: it says, word for word, what `admit` says on a laptop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posthuman.api.admission import AdmissionError, admit
from tests.api.bodies import Body, environment, job
from tests.api.cases import BAD_RULES, GOOD, Case
from tests.api.changes import BAD_CHANGES
from tests.api.market import MARKET_BAD, MARKET_GOOD
from tests.api.server import Refused, Server, prepared
from tests.api.shapes import BAD_SHAPES, UNKNOWN_FIELDS
from tests.api.test_admission import title

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def server(cluster_kubeconfig: Path) -> Iterator[Server]:
    """The CRDs on the real API server, apart from all else there."""
    with prepared(cluster_kubeconfig) as ready:
        yield ready


def apply(server: Server, case: Case) -> Body:
    """The object as the server would store it."""
    return server.replace(case.body, case.old) if case.old else server.create(case.body)


@pytest.mark.parametrize("case", [*GOOD, *MARKET_GOOD], ids=title)
def test_a_good_object_gets_the_same_defaults(server: Server, case: Case) -> None:
    assert apply(server, case)["spec"] == admit(case.body, case.old)["spec"]


@pytest.mark.parametrize("case", [*BAD_SHAPES, *BAD_RULES, *MARKET_BAD, *BAD_CHANGES], ids=title)
def test_a_bad_object_is_refused_in_the_same_words(server: Server, case: Case) -> None:
    with pytest.raises(AdmissionError) as here:
        admit(case.body, case.old)
    with pytest.raises(Refused) as there:
        apply(server, case)
    without_hints = [error.removesuffix("; write it in quotes") for error in here.value.errors]
    assert sorted(there.value.errors) == sorted(without_hints)


@pytest.mark.parametrize(("body", "sentence"), UNKNOWN_FIELDS)
def test_an_unknown_field_is_refused_at_the_same_path(
    server: Server, body: Body, sentence: str
) -> None:
    with pytest.raises(Refused) as there:
        server.create(body)
    assert there.value.errors[0].endswith(f"strict decoding error: {sentence}")


def test_a_stored_object_is_good_for_a_laptop(server: Server) -> None:
    """What the server adds to metadata is no unknown field."""
    for body in (job(), environment()):
        stored = server.create(body)
        admit(stored | {"apiVersion": body["apiVersion"]})
