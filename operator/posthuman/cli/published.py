"""What `posthuman publish` prints at its end: the asset's names, and how a job uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import yaml

from posthuman.api.asset import ModelAsset
from posthuman.local.documents import Document


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a publication; `is_old`: it was on chain before this command began."""

    asset: ModelAsset
    document: Document
    is_old: bool

    def input(self) -> dict[str, Any]:
        """What a job writes to be given the model."""
        name, namespace = self.asset.metadata.name, self.asset.metadata.namespace
        return {
            "name": "model",
            "kind": "model",
            "assetRef": {"namespace": namespace, "name": name},
        }

    def facts(self) -> dict[str, Any]:
        """All of it, for `-o json`."""
        spec, status = self.asset.spec, self.asset.status
        return {
            "did": status.did,
            "nft": status.nft,
            "datatoken": status.datatoken,
            "chainId": status.chain_id,
            "owner": spec.owner,
            "prefix": spec.source.prefix,
            "manifestDigest": spec.source.manifest_digest,
            "publishedBefore": self.is_old,
            "environment": spec.environment_ref.name,
            "input": self.input(),
        }


def as_facts(published: Published) -> str:
    """One object."""
    return json.dumps(published.facts(), indent=2)


def as_text(published: Published, workdir: Path | None) -> str:
    """For people; `workdir`: of the machine's own chain and store, None on an environment's."""
    asset = published.asset
    status, name = asset.status, asset.spec.metadata.name
    head = (
        f"{name} was published before: nothing was done"
        if published.is_old
        else (f"published {name}")
    )
    lines = [
        head,
        f"  did: {status.did}",
        f"  nft: {status.nft}",
        f"  datatoken: {status.datatoken}",
        f"  owner: {asset.spec.owner}",
        "# a job that uses it",
        f"environmentRef: {{name: {asset.spec.environment_ref.name}}}",
        "inputs:",
        f"  - {_flow(published.input())}",
    ]
    if workdir is None:
        lines += [
            "# on the cluster (kubectl apply), or beside a job of `posthuman run`",
            _manifest(published),
        ]
    else:
        lines += [
            f"# posthuman run JOB --workdir {workdir}",
            f"# posthuman lineage {status.did} --workdir {workdir}",
            f"# posthuman earnings {status.did} --workdir {workdir}",
        ]
    return "\n".join(lines)


def _flow(value: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.strip()


def _manifest(published: Published) -> str:
    text: str = yaml.safe_dump(published.document.body, sort_keys=False, allow_unicode=True)
    return text.rstrip()
