"""Ocean's own shapes for a DDO, from the npm package that its markets use (Apache-2.0)."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyshacl
import rdflib

from posthuman.ledger.anvil import cache_folder, npm

PACKAGE, VERSION, SCHEMA = "@oceanprotocol/ddo-js", "0.2.0", "4.7.0"
VOCABULARY = "http://schema.org/"


def violations(ddo: Mapping[str, Any]) -> str:
    """What Ocean's schema says against a DDO; empty if nothing. Its shapes are of JSON-LD without
    the DDO's own context."""
    document = {**ddo, "@type": "DDO", "@context": {"@vocab": VOCABULARY}}
    graph = rdflib.Graph().parse(data=json.dumps(document), format="json-ld")
    shapes = rdflib.Graph().parse(schema_file(), format="turtle")
    conforms, _, text = pyshacl.validate(graph, shacl_graph=shapes)
    return "" if conforms else str(text)


def schema_file() -> Path:
    """Fetched once into the cache."""
    file = cache_folder() / f"ddo-js-{VERSION}" / f"{SCHEMA}.ttl"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            npm("pack", f"{PACKAGE}@{VERSION}", folder=Path(folder))
            fetched = _unpacked(Path(folder)).rename(Path(folder) / "schema.ttl")
            fetched.replace(file)
    return file


def _unpacked(folder: Path) -> Path:
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extract(f"package/schemas/{SCHEMA}.ttl", folder, filter="data")
    return folder / "package" / "schemas" / f"{SCHEMA}.ttl"
