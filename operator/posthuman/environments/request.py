"""All that a job's acceptance rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from jobkit.manifest import ModelFacts
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.assets.trust import Custody
from posthuman.environments.catalogue import Catalogue
from posthuman.environments.purchase import Purchase
from posthuman.environments.verdict import Waiting


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A job with all that its acceptance rests on. `assets`: by input name; `models`: what the
    manifests of those that are published say of the models in them."""

    job: ComputeJob
    environment: ComputeEnvironment
    assets: Mapping[str, ModelAsset | None]
    catalogue: Catalogue
    models: Mapping[str, ModelFacts] = {}
    purchases: Mapping[str, Purchase | Waiting] = {}  # of what needs an order, by input
    ddos: Mapping[str, Mapping[str, Any]] = {}  # of what is bought elsewhere, by DID
    custody: Custody = Custody()  # of the assets, as the chain tells it
    allow_files: bool = False  # on a laptop `file:` is allowed below the manifest's folder
