"""The image builder's parts: Dockerfiles as data, layers as tars, stacks by name."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.images import dockerfile
from tests.cluster.images.dockerfile import Copy, Mount, Run
from tests.cluster.images.layer import LayerTar
from tests.cluster.images.names import PROJECT_IMAGES
from tests.cluster.images.snapshots import chain_id
from tests.cluster.images.store import Blob
from tests.cluster.layout import REPOSITORY


def read(tmp_path: Path, text: str) -> dockerfile.Recipe:
    file = tmp_path / "Dockerfile"
    file.write_text(text)
    return dockerfile.read(file)


def test_a_dockerfile_becomes_steps_and_a_config(tmp_path: Path) -> None:
    recipe = read(
        tmp_path,
        """
        ARG BASE=slim
        FROM ${BASE}
        RUN --mount=type=bind,source=locks/a.txt,target=/tmp/a.txt \\
            cat /tmp/a.txt \\
            && true
        ENV HOME=/tmp \\
            LANG=C
        COPY crds /opt/crds
        USER 65532
        ENTRYPOINT ["python", "-m", "jobkit"]
        """,
    )

    mount = Mount("bind", "/tmp/a.txt", "locks/a.txt")
    assert recipe.steps == (Run("cat /tmp/a.txt && true", (mount,)), Copy("crds", "/opt/crds"))
    assert recipe.config == {
        "User": "65532",
        "Entrypoint": ["python", "-m", "jobkit"],
        "Env": ["HOME=/tmp", "LANG=C"],
    }


def test_an_unknown_instruction_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="HEALTHCHECK"):
        read(tmp_path, "HEALTHCHECK NONE")


def test_a_run_that_would_miss_its_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="RUN comes after ENV"):
        read(tmp_path, "ENV A=1\nRUN env")


@pytest.mark.parametrize("name", PROJECT_IMAGES)
def test_our_images_run_as_nobody_in_particular(name: str) -> None:
    recipe = dockerfile.read(REPOSITORY / "docker" / f"{name}.Dockerfile")

    assert recipe.config["User"] == "65532:65532"


def test_a_layers_size_is_known_before_it_is_written(tmp_path: Path) -> None:
    make_tree(tmp_path)

    content, _ = read_layer(tmp_path)

    assert len(content) == LayerTar(tmp_path).size_bytes()


def test_a_layer_holds_files_folders_and_links(tmp_path: Path) -> None:
    make_tree(tmp_path)

    content, _ = read_layer(tmp_path)

    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames() == ["folder", "folder/file", "folder/" + "long" * 40, "link"]
        assert tar.getmember("link").linkname == "folder/file"
        file = tar.extractfile("folder/file")
        assert file is not None
        assert file.read() == b"content"


def test_equal_folders_give_equal_layers(tmp_path: Path) -> None:
    make_tree(tmp_path)

    assert read_layer(tmp_path) == read_layer(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make overlayfs's mark of deletion")
def test_what_a_step_deleted_becomes_a_whiteout(tmp_path: Path) -> None:
    os.mknod(tmp_path / "gone", mode=0o020000, device=0)

    content, _ = read_layer(tmp_path)

    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames() == [".wh.gone"]


def test_a_stack_is_named_as_the_oci_specification_says() -> None:
    lower, upper = Blob("sha256:a", 1), Blob("sha256:b", 1)

    assert chain_id([lower]) == "sha256:a"
    assert chain_id([lower, upper]) == (
        "sha256:970a948bffa8de94d6e22d747ba8c95030e6e546909f98f54e99a13005e173a8"
    )


def make_tree(root: Path) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "file").write_bytes(b"content")
    (root / "folder" / ("long" * 40)).write_bytes(b"")
    (root / "link").symlink_to("folder/file")


def read_layer(folder: Path) -> tuple[bytes, str]:
    with LayerTar(folder).reader() as reader:
        content = reader.read()
        return content, reader.digest()
