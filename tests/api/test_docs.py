"""The manifests in the documentation are good ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from posthuman.api.admission import admit
from posthuman.api.meta import API_VERSION
from tests.api.bodies import BOB

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("**/*.md"))]
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def documents() -> list[tuple[Path, Any]]:
    """Every YAML document of the pages' fenced blocks, with its page."""
    return [
        (page, document)
        for page in PAGES
        if page.exists()
        for block in FENCE.findall(page.read_text(encoding="utf-8"))
        for document in yaml.safe_load_all(block.replace('"0x…"', f'"{BOB}"'))
    ]


def manifests() -> list[Any]:
    """Each whole object of ours, with its file."""
    return [
        pytest.param(document, id=f"{path.name}-{document['kind']}")
        for path, document in documents()
        if isinstance(document, dict) and document.get("apiVersion") == API_VERSION
    ]


@pytest.mark.parametrize("manifest", manifests())
def test_a_documented_manifest_is_admitted(manifest: dict[str, Any]) -> None:
    admit(manifest)
