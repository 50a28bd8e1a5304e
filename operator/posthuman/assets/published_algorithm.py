"""An algorithm's DDO, read for trust: Ocean's two checksums of it. Pure.

`filesChecksum` is the sha256 of its files' contents, which only its provider can tell; ours have no
file but the image, and name the digest of the folder that it was built from. The container's is
sha256 of its entrypoint and image digest, as Ocean's provider computes it.
"""

from __future__ import annotations

import hashlib
import shlex

import msgspec

from jobkit.nesting import is_shallow
from posthuman.api.job import ImageAlgorithm
from posthuman.assets.trust import AlgorithmFacts
from posthuman.environments.program import program_digest

CODE_FILE = "$ALGO"  # in an entrypoint: the path of code that comes as a file


class _Container(msgspec.Struct, frozen=True):
    entrypoint: str = ""
    checksum: str = ""


class _Algorithm(msgspec.Struct, frozen=True):
    container: _Container = _Container()


class _Ours(msgspec.Struct, frozen=True, rename="camel"):
    code_digest: str = ""


class _Extra(msgspec.Struct, frozen=True):
    posthuman: _Ours = _Ours()


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    algorithm: _Algorithm = _Algorithm()
    additional_information: _Extra = _Extra()


class _DDO(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


def algorithm_in(ddo: bytes, did: str, creator: str, owner: str) -> AlgorithmFacts:
    """Checksums are empty where the DDO isn't an algorithm's, or is encrypted."""
    metadata = _read(ddo)
    container, ours = metadata.algorithm.container, metadata.additional_information.posthuman
    section = (container.entrypoint + container.checksum).encode()
    return AlgorithmFacts(
        did=did,
        creator=creator,
        owner=owner,
        files_checksum=ours.code_digest.removeprefix("sha256:"),
        container_section_checksum=hashlib.sha256(section).hexdigest() if section else "",
        program=_program(container) if ours.code_digest else "",
    )


def _program(container: _Container) -> str:
    """As a job's `image` runs it, which brings no code but the image's own."""
    try:
        words = tuple(shlex.split(container.entrypoint))
    except ValueError:
        return ""
    if CODE_FILE in container.entrypoint:
        return ""
    return program_digest(ImageAlgorithm(reference="", digest=container.checksum, entrypoint=words))


def _read(ddo: bytes) -> _Metadata:
    if not is_shallow(ddo.decode(errors="replace")):
        return _Metadata()
    try:
        return msgspec.json.decode(ddo, type=_DDO).metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Metadata()
