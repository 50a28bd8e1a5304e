"""An OpenAPI document as one HTML page, without a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px/1.4 ui-monospace,monospace;background:#8881;border-radius:4px}"
    "pre{padding:.7rem;overflow:auto}code{padding:.1rem .3rem}"
    "section{border-top:1px solid #8884;padding:.5rem 0}"
    "td{padding:.1rem 1rem .1rem 0;vertical-align:top}"
)


def docs_page(document: dict[str, Any]) -> str:
    """Every route with its parameters, its body's examples and its answers."""
    info = document["info"]
    routes = "".join(
        _route(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>"
        f"<style>{STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"{_paragraphs(info['description'])}"
        f"<p>For programs: <code>/openapi.json</code></p>{routes}</html>"
    )


def _route(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [
        f"<section id={escape(operation['operationId'])}>",
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>",
        _paragraphs(operation.get("description", "")),
        _table(_parameters(operation)),
        *_examples(operation),
        _table(_answers(operation)),
        "</section>",
    ]
    return "".join(parts)


def _parameters(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for one in operation.get("parameters", ()):
        yield f"{one['in']}: {one['name']}", one.get("description", "")


def _answers(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for status, answer in sorted(operation["responses"].items()):
        yield status, answer.get("description", "")


def _examples(operation: dict[str, Any]) -> Iterator[str]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for example in content.get("examples", {}).values():
            shown = json.dumps(example["value"], indent=2)
            yield f"<p>{escape(example.get('summary', ''))}</p><pre>{escape(shown)}</pre>"


def _table(rows: Iterator[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{_inline(text)}" for name, text in rows
    )
    return f"<table>{cells}</table>" if cells else ""


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(part)}" for part in text.split("\n\n") if part.strip())


def _inline(text: str) -> str:
    """`code` and **bold** of Markdown; nothing else is meant by our texts."""
    for mark, tag in (("`", "code"), ("**", "b")):
        pieces = (escape(text) if mark == "`" else text).split(mark)
        text = "".join(
            piece if index % 2 == 0 else f"<{tag}>{piece}</{tag}>"
            for index, piece in enumerate(pieces)
        )
    return text
