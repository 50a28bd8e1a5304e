"""The reference pages are what the CRDs say today."""

from __future__ import annotations

from docs.reference.generate import FOLDER, pages


def test_the_pages_are_up_to_date() -> None:
    wanted = pages()
    written = {path: path.read_text(encoding="utf-8") for path in wanted}
    assert written == wanted, "write them anew: python docs/reference/generate.py"


def test_the_pages_tell_of_every_field_and_rule() -> None:
    text = pages()[FOLDER / "computejob.md"]
    for words in (
        "| `timeout` | string |  | How long the worker pods may run",
        "| `nodes` | integer, 1 to 1024 | `1` | Number of worker pods",
        "`spec.parameters`, `spec.nodes`",
        "Set exactly one of assetRef, did, uri, uriSecretRef and upload",
        "| PROGRESS | How far the algorithm is, in percent. |",
    ):
        assert words in text
