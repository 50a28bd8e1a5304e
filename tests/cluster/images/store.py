"""containerd's image store: asking it, and streaming images into it without a file in between.

An image goes in as an OCI layout on standard input. Blobs that containerd already holds are left
out of the stream: a changed source sends a few kilobytes, not the five gigabytes below it.
"""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.cluster.errors import ClusterError
from tests.cluster.images.layer import LayerTar
from tests.cluster.layout import CONTAINERD_SOCKET
from tests.cluster.shell import Argument, attempt, run

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
PLATFORM = {"architecture": "amd64", "os": "linux"}
CTR = ("ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io")


@dataclass(frozen=True)
class Blob:
    """A piece of content by its address; an uncompressed layer's is its diff id as well."""

    digest: str
    size_bytes: int

    def descriptor(self, media_type: str) -> dict[str, object]:
        return {"mediaType": media_type, "digest": self.digest, "size": self.size_bytes}


def ctr(*arguments: Argument) -> str:
    """containerd's own client, in the namespace that the kubelet uses."""
    return run(*CTR, *arguments)


def containerd_answers() -> bool:
    """Does containerd answer on our socket?"""
    return attempt("ctr", "--address", CONTAINERD_SOCKET, "version").returncode == 0


@dataclass(frozen=True)
class Image:
    """A name in the store, and the manifest that it stands for."""

    name: str
    digest: str


def images() -> list[Image]:
    """Every name in the store."""
    return parse_images(ctr("images", "ls"))


def parse_images(listing: str) -> list[Image]:
    """What `ctr images ls` says: the name is the first column, the digest the third."""
    rows = [line.split() for line in listing.splitlines()[1:]]
    return [Image(row[0], row[2]) for row in rows]


def image_names() -> set[str]:
    """Every name that pods can be started from."""
    return {image.name for image in images()}


def find_digest(listing: list[Image], name: str) -> str:
    """The digest of an image's manifest, as pods report it."""
    for image in listing:
        if image.name == name:
            return image.digest
    raise ClusterError(f"{name} isn't loaded; run `python -m tests.cluster load-images`")


class ImageStream:
    """An OCI layout being written to `ctr images import`: layers first, their names last."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=sink, mode="w|", bufsize=1 << 20)  # noqa: SIM115
        self._count = 0

    def add_layer(self, layer: LayerTar) -> Blob:
        """Send a layer's tar while hashing it; nothing is kept on disk on our side."""
        self._count += 1
        member = tarfile.TarInfo(f"layer-{self._count}.tar")
        member.size = layer.size_bytes()
        with layer.reader() as reader:
            self._tar.addfile(member, reader)
            return Blob(reader.digest(), member.size)

    def add_image(self, name: str, config: dict[str, object], layers: Sequence[Blob]) -> Blob:
        """Send the config, the manifest and the index that give the layers a name."""
        rootfs = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
        config_blob = self._add_json("config", {**PLATFORM, "config": config, "rootfs": rootfs})
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config_blob.descriptor(CONFIG),
            "layers": [layer.descriptor(LAYER) for layer in layers],
        }
        manifest_blob = self._add_json("manifest", manifest)
        entry = {
            **manifest_blob.descriptor(MANIFEST),
            "platform": PLATFORM,
            "annotations": {"io.containerd.image.name": name},
        }
        self._add_json("index.json", {"schemaVersion": 2, "manifests": [entry]})
        self._add_json("oci-layout", {"imageLayoutVersion": "1.0.0"})
        return manifest_blob

    def _add_json(self, file_name: str, content: dict[str, object]) -> Blob:
        data = json.dumps(content, sort_keys=True).encode()
        member = tarfile.TarInfo(file_name)
        member.size = len(data)
        self._tar.addfile(member, io.BytesIO(data))
        return Blob(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))

    def close(self) -> None:
        self._tar.close()


@contextmanager
def importing() -> Iterator[ImageStream]:
    """Stream one image into containerd; it is there when the block has ended."""
    command = [*CTR, "images", "import", "-"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        stream = ImageStream(process.stdin)
        yield stream
        stream.close()
    finally:
        process.stdin.close()
        words = process.stderr.read().decode(errors="replace").strip()
        code = process.wait()
    if code != 0:
        raise ClusterError(f"containerd refused an image: {words}")


def single_layer_image(name: str, folder: Path, config: dict[str, object]) -> Blob:
    """Make an image of one folder: for programs that need nothing around them."""
    with importing() as stream:
        layer = stream.add_layer(LayerTar(folder))
        return stream.add_image(name, config, [layer])
