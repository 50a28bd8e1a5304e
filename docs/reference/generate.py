"""Write the reference pages of the three kinds: `python docs/reference/generate.py`.

The CRDs say everything once: descriptions, types, bounds, defaults, rules. A test compares the
pages with what this script would write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from posthuman.api.schema import Schema, crds_folder

FOLDER = Path(__file__).resolve().parent
RULES = "x-kubernetes-validations"
LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
NAMES = ", at most 63 small letters, digits and dashes"


def main() -> None:
    """Write every page anew."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


def pages() -> dict[Path, str]:
    """Each page's path and text."""
    definitions = [yaml.safe_load(path.read_text()) for path in crds_folder().glob("*.yaml")]
    return {
        FOLDER / f"{definition['spec']['names']['singular']}.md": page(definition)
        for definition in definitions
    }


def page(definition: Mapping[str, Any]) -> str:
    """One kind's page."""
    version = definition["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    lines = [
        *_head(definition["spec"], schema),
        *_columns(version["additionalPrinterColumns"]),
        *_rules("", schema),
        *_sections("spec", schema["properties"]["spec"]),
        *_sections("status", schema["properties"]["status"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _head(spec: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    names = spec["names"]
    yield "<!-- Written by docs/reference/generate.py from crds/; change it there. -->"
    yield from (f"# {names['kind']}", "", schema["description"], "")
    yield f"- apiVersion `{spec['group']}/{spec['versions'][0]['name']}`, {spec['scope'].lower()}"
    yield f"- `kubectl get {names['plural']}`, short `{names['shortNames'][0]}`"
    yield ""


def _columns(columns: list[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## What `kubectl get` shows", "", "| column | meaning | |", "|---|---|---|")
    for column in columns:
        wide = "with `-o wide`" if column.get("priority") else ""
        meaning = column.get("description", "Since when it is there.")
        yield f"| {column['name'].upper()} | {meaning} | {wide} |"
    yield ""


def _sections(path: str, schema: Schema) -> Iterator[str]:
    """A table of an object's fields, its rules, then the objects within it."""
    yield from (f"## {path}", "", schema["description"], "")
    yield from ("| field | type | default | |", "|---|---|---|---|")
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        yield _row(path, name, field, name in required)
    yield ""
    yield from _rules(path, schema)
    for name, field in schema["properties"].items():
        inner = field.get("items", field)
        mark = "[]" if "items" in field else ""
        if "properties" in inner:
            described = {"description": field["description"], **inner}
            yield from _sections(f"{path}.{name}{mark}", described)


def _row(path: str, name: str, field: Schema, required: bool) -> str:
    default = "**required**" if required else _default(field)
    return f"| `{name}` | {_type(f'{path}.{name}', field)} | {default} | {_cell(field)} |"


def _cell(field: Schema) -> str:
    messages = [field["description"], *(_sentence(rule) for rule in _own_rules(field))]
    return " ".join(messages).replace("|", "\\|")


def _own_rules(field: Schema) -> list[Mapping[str, str]]:
    """Rules of a plain value, or of the values of a list; an object has a section for them."""
    inner = field.get("items", field)
    return [] if "properties" in inner else inner.get(RULES, [])


def _sentence(rule: Mapping[str, str]) -> str:
    first, _, rest = rule["message"].partition(" ")
    return f"{first.capitalize() if first.isalpha() else first} {rest}."


def _default(field: Schema) -> str:
    value = field.get("default")
    return "" if value in (None, {}, []) else f"`{json.dumps(value)}`"


def _type(path: str, field: Schema) -> str:
    if "items" in field:
        bound = f", at most {field['maxItems']}" if "maxItems" in field else ""
        return f"list of {_type(path + '[]', field['items'])}{bound}"
    if "properties" in field:
        return f"[object](#{_anchor(path)})"
    if "additionalProperties" in field:
        return f"map of {_type(path, field['additionalProperties'])}"
    return f"{field['type']}{_bounds(field)}"


def _bounds(field: Schema) -> str:
    if "enum" in field:
        return ": " + ", ".join(f"`{value or '(empty)'}`" for value in field["enum"])
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return NAMES if field.get("pattern") == LABEL_PATTERN else ""


def _anchor(path: str) -> str:
    """As GitHub makes it of a heading."""
    return path.lower().replace(".", "").replace("[]", "")


def _rules(path: str, schema: Schema) -> Iterator[str]:
    """Each sentence once, with all the fields it is said of."""
    fields: dict[str, list[str]] = {}
    for rule in schema.get(RULES, ()):
        where = (path + rule.get("fieldPath", "")).removeprefix(".")
        fields.setdefault(_sentence(rule), []).append(f"`{where}`")
    for sentence, paths in fields.items():
        yield f"- {', '.join(paths)}: {sentence}"
    if fields:
        yield ""


if __name__ == "__main__":
    main()
