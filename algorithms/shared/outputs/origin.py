"""Where a model comes from: its parents by DID, and what its parent's own model card says."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import metadata_load

UNKNOWN = "unknown"  # the Hub's own word for a licence that nobody names
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)  # namespace/name, or a bare name


@dataclass(frozen=True)
class Origin:
    """`dids`: of the inputs that are assets on chain. The rest is from the parent's model card;
    `base_model` names a model of the Hub, and is empty where the card names none."""

    dids: tuple[str, ...] = ()
    license: str = UNKNOWN
    base_model: str = ""


def origin_of(model: Path | None) -> Origin:
    """Of the model in a folder, or of nothing (pretraining): read from `$DIDS` and the card.

    Both were written by others: what isn't of the expected form counts as not said.
    """
    card = _front_matter(model / "README.md") if model else {}
    return Origin(_dids(), _name(card.get("license")) or UNKNOWN, _name(card.get("base_model")))


def _dids() -> tuple[str, ...]:
    found = json.loads(os.environ.get("DIDS") or "[]")
    return tuple(str(did) for did in found)


def _front_matter(card: Path) -> Mapping[str, Any]:
    """A model without a card, or with a broken one, is no error: the card says nothing then."""
    if not card.is_file():
        return {}
    try:
        return metadata_load(card) or {}
    except (ValueError, yaml.YAMLError) as error:
        first_line = str(error).partition("\n")[0]
        print(f"The input model's card has no readable front matter: {first_line}", flush=True)
        return {}


def _name(value: object) -> str:
    """A card may name several base models: the first stands for them."""
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) and HUB_NAME.fullmatch(first) else ""
