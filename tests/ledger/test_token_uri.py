"""What stands in a tokenURI, and what anybody else may have put there."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthuman.chain import Publication
from posthuman.ledger.token_uri import NO_PUBLICATION, decode_token_uri, encode_token_uri

SAID = Publication(publication_id="p1", parents=("did:op:a",), manifest_digest="sha256:0")


def test_it_is_readable_as_it_stands() -> None:
    assert encode_token_uri(SAID, "GPT-2") == (
        'data:application/json,{"manifestDigest":"sha256:0","name":"GPT-2",'
        '"parents":["did:op:a"],"publicationId":"p1"}'
    )


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_name_survives_and_can_not_forge_a_field(name: str) -> None:
    uri = encode_token_uri(SAID, name)
    assert uri.isascii()
    assert not set(uri) & set(" #%") - {"%"}
    assert decode_token_uri(uri) == SAID
    assert json.loads(unquote(uri.partition(",")[2]))["name"] == name


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "https://example.com/1.json",
        "data:application/json,",
        'data:application/json,{"name":"x"}',
        'data:application/json,{"publicationId":1,"parents":[],"manifestDigest":""}',
        "data:application/json,%ff",
        "data:application/json;base64,e30=",
    ],
)
def test_anything_else_is_no_publication(foreign: str) -> None:
    assert decode_token_uri(foreign) == NO_PUBLICATION


def test_a_stranger_s_brackets_are_no_publication() -> None:
    """Anybody may create NFTs, and each one's tokenURI is read; deep JSON ends the process."""
    deep = "[" * 100_000 + "]" * 100_000
    assert decode_token_uri(f'data:application/json,{{"parents":{deep}}}') == NO_PUBLICATION
