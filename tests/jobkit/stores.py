"""Fill a store as a job's export or a person's upload does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from obstore.store import ObjectStore

from jobkit.manifest import Manifest, ManifestFile, digest_of, encode_manifest
from jobkit.objects import put_bytes


async def fill(store: ObjectStore, prefix: str, files: Mapping[str, bytes]) -> str:
    """Put the files, then their manifest; gives its digest."""
    entries = []
    for path, content in files.items():
        await put_bytes(store, f"{prefix}/{path}", content)
        sha256 = hashlib.sha256(content).hexdigest()
        entries.append(
            ManifestFile(path=path, sha256=sha256, size=len(content), file_class="result")
        )
    raw = encode_manifest(Manifest(files=tuple(entries)))
    await put_bytes(store, f"{prefix}/manifest.json", raw)
    return digest_of(raw)
