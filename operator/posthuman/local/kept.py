"""Assets that an earlier run published in this working folder, kept for the next one.

Their models are in the embedded store and their NFTs on the embedded chain; a job of a later
`posthuman run` names them by assetRef, as on a cluster.
"""

from __future__ import annotations

import json
from pathlib import Path

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.api.parse import dump, parse
from posthuman.errors import UserError
from posthuman.local.objects import Objects


def keep_assets(objects: Objects, workdir: Path) -> None:
    """Write each published asset to a file of its own."""
    folder = _folder(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    for asset in objects.all(ModelAsset):
        if is_true(asset.status.conditions, "Ready"):
            _file(folder, asset.metadata.key).write_text(json.dumps(dump(asset), indent=2))


def restore_assets(objects: Objects, workdir: Path) -> None:
    """Bring them back. One that a job of this run would publish anew is left out; so is one whose
    name this run's own documents use. Raises UserError for a damaged file."""
    taken = {found.metadata.key for found in objects.all(ModelAsset)}
    taken |= {job.metadata.key for job in objects.all(ComputeJob) if job.spec.publish}
    for file in sorted(_folder(workdir).glob("*.json")):
        asset = _read(file)
        if asset.metadata.key not in taken:
            objects.create(asset, uid=asset.metadata.uid)


def _read(file: Path) -> ModelAsset:
    try:
        return parse(json.loads(file.read_text()), ModelAsset)
    except ValueError as error:
        raise UserError(f"{file} is damaged; remove it: {error}") from error


def _folder(workdir: Path) -> Path:
    return workdir / "assets"


def _file(folder: Path, key: Key) -> Path:
    return folder / f"{key.namespace}.{key.name}.json"
