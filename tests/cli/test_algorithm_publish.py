"""`posthuman algorithm publish`: an Ocean algorithm asset, valid by Ocean's own schema, once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from posthuman.assets.algorithm_ddo import algorithm_ddo, consumer_parameters, parse_image
from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT, Publication
from posthuman.cli.algorithm.folder import Said, read_algorithm
from posthuman.cli.app import app
from posthuman.errors import UserError
from posthuman.ledger.account import DEV_KEYS, account_of
from posthuman.ledger.reader import open_reader
from posthuman.local.chain import SIGNER_KEY, embedded_chain
from tests.algorithms.conftest import ALGORITHMS
from tests.assets.ocean_schema import violations
from tests.cli.conftest import an_environment
from tests.cli.test_algorithm_new import made
from tests.ledger.test_keys import PASSWORD, keystore
from tests.services.chain import Chain

# rdflib warns of its own use of its own class.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
DIGEST = "sha256:" + 64 * "a"
IMAGE = f"ghcr.io/acme/word-count:0.1.0@{DIGEST}"
NFT = "0x94099942864EA81cCF197E9D71ac53310b1468D8"
DATATOKEN = "0x06B1D212B8da92b83AF328De5eef4E211Da02097"
CREATED = CreatedNFT(
    publication=Publication(publication_id="p", parents=(), manifest_digest=DIGEST),
    nft=NFT,
    datatoken=DATATOKEN,
    hash="0x1",
    block=1,
    creator="0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new algorithm."""
    parent = tmp_path_factory.mktemp("mine")
    assert made("word-count", parent).exit_code == 0
    return parent / "word-count"


def publish(folder: Path, workdir: Path, *options: str, image: str = IMAGE) -> Result:
    arguments = ["algorithm", "publish", str(folder), "--image", image]
    return CliRunner().invoke(app, [*arguments, "--workdir", str(workdir), *options])


def ddo_of(folder: Path, **said: str) -> dict[str, Any]:
    algorithm = read_algorithm(folder, Said(image=IMAGE, **said))
    endpoint = "urn:posthuman:environment:lab"
    return algorithm_ddo(algorithm, CREATED, 8996, endpoint, "2026-01-01T12:00:00Z")


def test_its_ddo_is_valid_by_oceans_schema(folder: Path) -> None:
    assert violations(ddo_of(folder, title="Größter ☃", license="MIT", author="Acme")) == ""


@pytest.mark.parametrize("missing", ["image", "checksum", "entrypoint"])
def test_the_schema_does_refuse(folder: Path, missing: str) -> None:
    ddo = ddo_of(folder)
    del ddo["metadata"]["algorithm"]["container"][missing]
    assert missing in violations(ddo)


def test_it_says_what_runs_and_with_what(folder: Path) -> None:
    algorithm = ddo_of(folder)["metadata"]["algorithm"]
    assert algorithm["container"] == {
        "entrypoint": "python /app",
        "image": "ghcr.io/acme/word-count",
        "tag": "0.1.0",
        "checksum": DIGEST,
    }
    assert algorithm["consumerParameters"][0] == {
        "name": "mostFrequent",
        "type": "number",
        "label": "mostFrequent",
        "required": False,
        "description": "Words in the list.",
        "default": "10",
    }


@pytest.mark.parametrize("file", sorted(ALGORITHMS.glob("*/parameters.schema.json")), ids=str)
def test_every_built_ins_parameters_can_be_asked_for(file: Path, folder: Path) -> None:
    ddo = ddo_of(folder)
    asked = consumer_parameters(json.loads(file.read_text()))
    ddo["metadata"]["algorithm"]["consumerParameters"] = asked
    assert violations(ddo) == ""
    assert {entry["type"] for entry in asked} <= {"number", "boolean", "select", "text"}


def test_choices_are_a_select() -> None:
    rule = {"anyOf": [{"enum": ["a", "b"], "description": "One of two."}, {"type": "null"}]}
    [asked] = consumer_parameters({"properties": {"x": rule}, "required": ["x"]})
    assert (asked["type"], asked["required"], asked["default"]) == ("select", True, "")
    assert json.loads(asked["options"]) == [{"a": "a"}, {"b": "b"}]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        (f"ghcr.io/acme/x@{DIGEST}", ("ghcr.io/acme/x", "0.1.0")),
        (f"localhost:5000/x@{DIGEST}", ("localhost:5000/x", "0.1.0")),
        (f"localhost:5000/x:2@{DIGEST}", ("localhost:5000/x", "2")),
    ],
)
def test_image_references(reference: str, parts: tuple[str, str]) -> None:
    image = parse_image(reference, "0.1.0")
    assert (image.image, image.tag, image.digest) == (*parts, DIGEST)


@pytest.mark.parametrize("reference", ["x", "x:1", "x@sha256:abc", f"@{DIGEST}", f"a b@{DIGEST}"])
def test_an_image_without_its_digest_is_refused(reference: str) -> None:
    with pytest.raises(UserError, match="doesn't say which image"):
        parse_image(reference, "1")


@pytest.mark.chain
def test_it_is_published_once_on_the_kept_chain(folder: Path, tmp_path: Path) -> None:
    first = publish(folder, tmp_path, "-o", "json")
    assert first.exit_code == 0, first.stderr
    facts = json.loads(first.stdout)
    assert json.loads(publish(folder, tmp_path, "-o", "json").stdout) == facts
    assert facts["did"] == did_of(facts["nft"], 8996)
    with embedded_chain(tmp_path / "chain") as chain:
        owner, raw = asyncio.run(read_back(chain.url, chain.spec, facts["did"]))
    assert owner == account_of(SIGNER_KEY).address
    ddo = json.loads(raw)
    assert violations(ddo) == ""
    assert ddo["id"] == facts["did"]
    assert ddo["services"][0]["datatokenAddress"] == facts["datatoken"]
    section = ("python /app" + DIGEST).encode()
    assert facts["containerSectionChecksum"] == hashlib.sha256(section).hexdigest()


async def read_back(url: str, spec: Any, did: str) -> tuple[str, bytes]:
    """Whose it is, and its DDO, as anyone can read them."""
    reader = open_reader(url, spec)
    try:
        created = await reader.creation(did)
        assert created is not None
        first = await reader.first_ddo(created)
        assert first is not None
        return await reader.nft_owner(created.nft), first.content
    finally:
        await reader.close()


@pytest.mark.chain
def test_another_key_publishes_as_another(folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(DEV_KEYS[3].hex())
    result = publish(folder, tmp_path / "work", "--key-file", str(key), "--name", "Words, counted")
    assert result.exit_code == 0, result.stderr
    assert "published Words, counted 0.1.0" in result.stdout
    assert DEV_KEYS[3].hex() not in result.output
    kept = "".join(file.read_text() for file in (tmp_path / "work" / "algorithms").iterdir())
    assert DEV_KEYS[3].hex() not in kept


@pytest.mark.chain
def test_an_environments_keystore_file_signs(folder: Path, tmp_path: Path, chain: Chain) -> None:
    account = asyncio.run(chain.new_account())
    spec = {
        "chainId": 8996,
        "rpcUrlSecret": {"name": "chain", "key": "url"},
        "signerSecret": {"name": "signer", "key": "file"},
        "signerPasswordSecret": {"name": "signer", "key": "password"},
        "contracts": {"erc721Factory": chain.contracts.erc721_factory},
    }
    content = {"file": keystore(account).decode(), "password": PASSWORD}
    secrets = {"chain": {"url": chain.url}, "signer": content}
    documents = [an_environment(chain=spec), *starmap(a_secret, secrets.items())]
    file = tmp_path / "lab.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    result = publish(folder, tmp_path / "work", "--environment", str(file), "-o", "json")
    assert result.exit_code == 0, result.stderr
    did = json.loads(result.stdout)["did"]
    assert asyncio.run(read_back(chain.url, chain.spec(), did))[0] == account.address


def a_secret(name: str, content: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "work"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--name", "abc"), "too short a name"),
        (("--description", "short"), "say in --description"),
        (("--key-file", "absent.key"), "the key file absent.key can't be read"),
        (("--environment", "absent.yaml"), "absent.yaml can't be read"),
    ],
)
def test_what_cant_be_published(
    options: tuple[str, ...], sentence: str, folder: Path, tmp_path: Path
) -> None:
    result = publish(folder, tmp_path, *options)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())


def test_a_folder_that_is_no_algorithm(tmp_path: Path) -> None:
    result = publish(tmp_path, tmp_path)
    assert result.exit_code == 2
    assert "as `posthuman algorithm new` makes it" in " ".join(result.stderr.split())
