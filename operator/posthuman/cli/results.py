"""What a finished job has to show: its figures, and the names of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobkit.manifest import MANIFEST_NAME, Manifest, decode_manifest
from posthuman.api.job import JobStatus

MOST_NAMES = 8


def facts_of(status: JobStatus) -> list[str]:
    """Of its manifest, where that lies on this machine; else what the job itself said last."""
    if status.results is None:
        return _figures(status.progress.metrics if status.progress else {})
    manifest = _manifest(status.results.uri)
    if manifest is None:
        said = status.progress.metrics if status.progress else {}
        return [*_figures(said), f"results: {status.results.uri}"]
    names = [_names(manifest)] if manifest.files else []
    return [*_figures(manifest.metrics), f"results: {status.results.uri}", *names]


def _manifest(uri: str) -> Manifest | None:
    """None for a store that isn't a folder here."""
    place = urlsplit(uri)
    if place.scheme != "file":
        return None
    return decode_manifest((Path(unquote(place.path)) / MANIFEST_NAME).read_bytes())


def _figures(metrics: Mapping[str, float]) -> list[str]:
    if not metrics:
        return []
    return [", ".join(f"{name} {value:.4g}" for name, value in metrics.items())]


def _names(manifest: Manifest) -> str:
    """A folder stands for what is in it."""
    paths = (file.path for file in manifest.files)
    names = sorted(
        {f"{top}/" if rest else top for top, _, rest in (p.partition("/") for p in paths)}
    )
    rest = len(names) - MOST_NAMES
    return "  " + ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
