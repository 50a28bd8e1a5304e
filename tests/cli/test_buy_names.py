"""A DDO's writer chooses its services' ids, and they stand beside the price that a buyer reads."""

from __future__ import annotations

import json

import pytest

from posthuman.assets.services import services_in
from posthuman.cli.buy import choose
from posthuman.errors import UserError

DID = "did:op:" + "7" * 64


@pytest.mark.parametrize("name", ["train\x1b[8m", "train\rfree", "\N{RIGHT-TO-LEFT OVERRIDE}eerf"])
def test_an_id_that_gives_a_terminal_orders_is_not_shown(name: str) -> None:
    services = services_in(json.dumps({"services": [{"id": "infer"}, {"id": name}]}).encode())
    assert choose(services, "0", DID).id == "infer"
    with pytest.raises(UserError, match="can't be shown") as refused:
        choose(services, "1", DID)
    assert str(refused.value).isprintable()
