"""docs/http-api.md says what a wallet signs, to the letter."""

from __future__ import annotations

from pathlib import Path

from posthuman.gateway.people.wallet_text import Asked, Proof, header_of, pass_text, request_text

PAGE = Path(__file__).resolve().parents[2] / "docs" / "http-api.md"


def test_the_texts_are_those_of_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    asked = Asked(method="POST", host="Gateway.example", target="/api/v1/jobs")
    lines = request_text(asked, 1767268800000000000).split("\n")
    lines[2] = "body: sha256:<64 hex digits>"
    assert "```\n" + "\n".join(lines) + "\n```" in page
    assert "```\n" + pass_text("Gateway.example", 1767272400) + "\n```" in page


def test_so_are_the_headers() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for named, proof in (
        ("nonce=<time_ns>", Proof(address="0xA", signature=b"\x01", nonce=7)),
        ("until=<epoch seconds>", Proof(address="0xA", signature=b"\x01", until=7)),
    ):
        said = header_of(proof).replace("0xA", "0x…").replace("0x01", "0x…")
        assert f"Authorization: {said.replace('nonce=7', named).replace('until=7', named)}" in page
