"""`posthuman upload`: what it prints is what a manifest needs, word for word."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from posthuman.cli.app import app
from tests.cli.conftest import OWNER, Laptop, a_job, an_environment
from tests.services.s3 import S3Server

REFUSED = 2


def upload(*arguments: str) -> Result:
    """Through the command line's own options."""
    return CliRunner().invoke(app, ["upload", *arguments])


def test_the_snippet_is_an_input_as_it_stands(laptop: Laptop) -> None:
    text = laptop.folder / "My text.txt"
    text.write_text("hello")
    result = upload(str(text), "--owner", OWNER, "--workdir", str(laptop.workdir))
    assert result.exit_code == 0, result.stderr
    [found] = yaml.safe_load(result.stdout)
    assert found["upload"] == f"uploads/{OWNER.lower()}/my-text.txt"
    run = laptop.run(a_job("copy", inputs=[found]))
    assert run.code == 0, run.said
    assert laptop.store_file(run.final, "text.txt") == "hello"


def test_a_job_notices_that_the_upload_is_another(laptop: Laptop) -> None:
    text = laptop.folder / "text.txt"
    text.write_text("hello")
    options = ("--owner", OWNER, "--workdir", str(laptop.workdir), "-o", "json")
    found = json.loads(upload(str(text), *options).stdout)
    wanted = {"name": "text", "upload": found["upload"], "sha256": 64 * "0"}
    run = laptop.run(a_job("copy", inputs=[wanted]))
    assert run.code == 1
    assert "expected sha256:" + 64 * "0" in run.said


def test_other_content_under_the_same_name_is_refused(laptop: Laptop) -> None:
    text = laptop.folder / "text.txt"
    options = ("--owner", OWNER, "--workdir", str(laptop.workdir))
    for content, code in (("one", 0), ("one", 0), ("two", REFUSED)):
        text.write_text(content)
        result = upload(str(text), *options)
        assert result.exit_code == code
    assert "choose another name" in result.stderr


def test_a_model_is_to_be_published_or_to_be_an_input(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "gpt2"}')
    save_file({"weight": np.zeros(2, dtype=np.float32)}, model / "model.safetensors")
    workdir = str(tmp_path / "work")
    result = upload(str(model), "--kind", "model", "--owner", OWNER, "--workdir", workdir)
    assert result.exit_code == 0, result.stderr
    prefix = f"uploads/{OWNER.lower()}/model"
    assert yaml.safe_load(result.stdout)["source"]["prefix"] == prefix
    [commented] = yaml.safe_load(result.stdout.splitlines()[-1].removeprefix("# "))
    assert commented == {"name": "model", "kind": "model", "upload": prefix}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("absent.txt", "--owner", OWNER), "there is nothing to upload at absent.txt"),
        (("pyproject.toml", "--owner", "me"), "is no address"),
        (("pyproject.toml", "--owner", OWNER, "--name", "A B"), "lower case letters"),
        (("docs", "--owner", OWNER, "--environment", "absent.yaml"), "can't be read"),
    ],
)
def test_what_cant_be_uploaded(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    result = upload(*arguments, "--workdir", str(tmp_path))
    assert result.exit_code == REFUSED
    assert sentence in result.stderr


@pytest.mark.s3
def test_to_an_environments_own_store(laptop: Laptop, s3_server: S3Server) -> None:
    store = {
        "url": f"s3://{s3_server.bucket}/lab",
        "endpoint": s3_server.endpoint,
        "region": "us-east-1",
        "credentialsSecret": {"name": "store"},
    }
    environment = an_environment() | {"spec": {"workNamespace": "work", "store": store}}
    keys = {
        "accessKeyId": s3_server.credentials["AWS_ACCESS_KEY_ID"],
        "secretAccessKey": s3_server.credentials["AWS_SECRET_ACCESS_KEY"],
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "store", "namespace": "work"},
        "stringData": keys,
    }
    path = laptop.write("environment.yaml", environment, secret)
    text = laptop.folder / "text.txt"
    text.write_text("hello")
    result = upload(str(text), "--owner", OWNER, "--environment", str(path))
    assert result.exit_code == 0, result.stderr
    run = laptop.run(a_job("copy", inputs=yaml.safe_load(result.stdout)), environment=path)
    assert run.code == 0, run.said
    assert run.final["status"]["results"]["uri"].startswith(store["url"])
    without = laptop.write("without.yaml", environment)
    again = upload(str(text), "--owner", OWNER, "--environment", str(without))
    assert again.exit_code == REFUSED
    assert "add the Secret store to the environment's file" in again.stderr
