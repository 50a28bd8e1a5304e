"""The packaged CRDs: where they lie, and the schema that each kind has there.

One set of files serves the API server, the chart and, through this module, a laptop: `crds/` in a
checkout, /opt/posthuman/crds in the image.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from posthuman.api.meta import PLURALS
from posthuman.errors import UserError

CRDS_ENV = "POSTHUMAN_CRDS"  # a folder, instead of the packaged one
IMAGE_FOLDER = Path("/opt/posthuman/crds")
CHECKOUT_FOLDER = Path(__file__).resolve().parents[3] / "crds"

Schema = Mapping[str, Any]


def crds_folder() -> Path:
    """The folder of the CRDs. Raises UserError where none is found."""
    named = os.environ.get(CRDS_ENV)
    candidates = [Path(named)] if named else [CHECKOUT_FOLDER, IMAGE_FOLDER]
    for folder in candidates:
        if (folder / "computejobs.yaml").is_file():
            return folder
    looked = " nor ".join(str(folder) for folder in candidates)
    raise UserError(f"no CRDs in {looked}: set {CRDS_ENV} to the folder with computejobs.yaml")


def schema_of(kind: str) -> Schema:
    """The OpenAPI schema of a kind, rules and defaults included. Raises UserError as above."""
    return _load(crds_folder() / f"{PLURALS[kind]}.yaml")


@lru_cache
def _load(path: Path) -> Schema:
    definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema: Schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema
