"""`posthuman publish`: a model's folder becomes an asset in one step, once; jobs can use it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
import yaml
from typer.testing import CliRunner, Result

from jobkit.manifest import ModelFacts
from posthuman.api.asset import Pricing, PricingKind
from posthuman.api.meta import Key
from posthuman.cli.app import app
from posthuman.cli.offer import Offer, described, key_name, pricing_of
from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.reader import open_reader
from posthuman.local.chain import SIGNER_KEY, embedded_chain
from tests.cli.conftest import OWNER, Laptop, a_job, an_environment

ROOT = Path(__file__).parents[2]
REFUSED = 2
NAME = "My own model"
TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def write_model(folder: Path, number: float = 0.0, dtype: str = "F32") -> Path:
    """The smallest model that there is: one tensor of two numbers, and what type it is."""
    folder.mkdir(parents=True, exist_ok=True)
    tensor = {"dtype": dtype, "shape": [2], "data_offsets": [0, 8]}
    head = json.dumps({"w": tensor, "__metadata__": {"n": str(number)}}).encode()
    whole = len(head).to_bytes(8, "little") + head + bytes(8)
    (folder / "model.safetensors").write_bytes(whole)
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny"}))
    return folder


def publish(folder: Path, workdir: Path, *options: str, name: str = NAME) -> Result:
    arguments = ["publish", str(folder), "--name", name, "--workdir", str(workdir)]
    return CliRunner().invoke(app, [*arguments, *options])


def facts_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


async def read_back(url: str, spec: Any, did: str) -> tuple[str, dict[str, Any]]:
    """Whose it is, and its DDO, as anyone can read them."""
    reader = open_reader(url, spec)
    try:
        created = await reader.creation(did)
        assert created is not None
        first = await reader.first_ddo(created)
        assert first is not None
        return await reader.nft_owner(created.nft), json.loads(first.content)
    finally:
        await reader.close()


@pytest.mark.chain
def test_a_folder_is_published_once_and_trains(laptop: Laptop) -> None:
    folder = write_model(laptop.folder / "model")
    options = ("--owner", OWNER, "--license", "MIT", "-o", "json")
    facts = facts_of(publish(folder, laptop.workdir, *options))
    assert not facts["publishedBefore"]
    with embedded_chain(laptop.workdir / "chain") as chain:
        owner, ddo = asyncio.run(read_back(chain.url, chain.spec, facts["did"]))
    assert owner == OWNER
    assert ddo["metadata"]["license"] == "MIT"
    assert ddo["metadata"]["description"] == "A tiny model with 2 parameters (float32)."
    assert ddo["services"][0]["datatokenAddress"] == facts["datatoken"]

    job = a_job(
        "model",
        environmentRef={"name": facts["environment"]},
        inputs=[facts["input"]],
        publish={"name": "Its child", "description": "Made from what was published."},
    )
    run = laptop.run(job)
    assert run.code == 0, run.said
    child = run.final["status"]["asset"]["did"]

    again = facts_of(publish(folder, laptop.workdir, *options))
    assert again == facts | {"publishedBefore": True}
    (laptop.workdir / "assets" / "default.my-own-model.json").unlink()
    adopted = facts_of(publish(folder, laptop.workdir, *options))  # found on chain alone
    assert adopted == again

    picture = laptop.folder / "lineage.svg"
    line = lineage(laptop.workdir, child, "-o", "json", "--svg", str(picture))
    found = json.loads(line.stdout)
    assert [(parent["did"], parent["store"]) for parent in found["parents"]] == [
        (facts["did"], "matches")
    ]
    assert found["algorithm"]["digest"].startswith("sha256:")
    assert facts["did"] in " ".join(ElementTree.parse(picture).getroot().itertext())
    (laptop.workdir / "store").rename(laptop.workdir / "store elsewhere")
    told = lineage(laptop.workdir, child)
    assert facts["did"] in told.stdout
    assert "not checked for 2 of 2 assets" in told.stdout


def lineage(workdir: Path, did: str, *options: str) -> Result:
    result = CliRunner().invoke(app, ["lineage", did, "--workdir", str(workdir), *options])
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.chain
@pytest.mark.models
def test_what_is_published_is_trained_further(tmp_path: Path) -> None:
    folder, workdir = tmp_path / "tiny", tmp_path / "work"
    making = [sys.executable, "-m", "examples.story_data", "tiny", "--out", str(folder)]
    subprocess.run(making, cwd=ROOT, check=True, capture_output=True)
    facts = facts_of(publish(folder, workdir, "-o", "json"))
    (tmp_path / "text.txt").write_text("In the beginning was the word. " * 100)
    job = a_job(
        "train",
        environmentRef={"name": facts["environment"]},
        inputs=[facts["input"], {"name": "text", "uri": "file:text.txt"}],
        parameters={"steps": 2, "batchSize": 2, "blockLength": 32},
        publish={"name": "Its child", "description": "Two steps further."},
    )
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    arguments = ["run", str(tmp_path / "job.yaml"), "--workdir", str(workdir), "-o", "json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    child = json.loads(result.stdout)["status"]["asset"]["did"]
    found = json.loads(lineage(workdir, child, "-o", "json").stdout)
    assert [parent["did"] for parent in found["parents"]] == [facts["did"]]
    assert found["algorithm"]["name"] == "train"
    assert found["metrics"]["lastLoss"] > 0


@pytest.mark.chain
def test_a_name_is_one_publications_and_what_is_told_can_be_pasted(laptop: Laptop) -> None:
    folder = write_model(laptop.folder / "model")
    first = publish(folder, laptop.workdir, "--free")
    assert first.exit_code == 0, first.stderr
    assert f"published {NAME}" in first.stdout
    snippet = yaml.safe_load(first.stdout[first.stdout.index("environmentRef") :])
    assert snippet["inputs"][0]["assetRef"] == {"namespace": "default", "name": "my-own-model"}
    owner = account_of(SIGNER_KEY).address
    assert f"owner: {owner}" in first.stdout
    second = publish(folder, laptop.workdir, "--free")
    assert f"{NAME} was published before: nothing was done" in second.stdout
    other_words = publish(folder, laptop.workdir)
    assert other_words.exit_code == REFUSED
    assert "choose another --name" in " ".join(other_words.stderr.split())
    other_files = publish(write_model(folder, 1.0), laptop.workdir, "--free")
    assert other_files.exit_code == REFUSED
    assert "choose another name" in " ".join(other_files.stderr.split())


@pytest.mark.chain
def test_on_an_environments_own_store_and_chain_at_a_price(laptop: Laptop) -> None:
    folder = write_model(laptop.folder / "model")
    with embedded_chain(laptop.folder / "elsewhere") as chain:
        contracts = chain.spec.contracts
        assert contracts is not None
        store = (laptop.folder / "lab's store").as_uri()
        spec: dict[str, Any] = msgspec.to_builtins(chain.spec)
        environment = an_environment("lab", store, chain=spec)
        secrets = [a_secret(key, content) for key, content in chain.secrets("work").items()]
        path = laptop.write("environment.yaml", environment, *secrets)
        price = ("--price", "2.5", "--token", contracts.ocean_token)
        options = ("--owner", OWNER, "--environment", str(path), *price)
        first = publish(folder, laptop.workdir, *options)
        assert first.exit_code == 0, first.stderr
        again = publish(folder, laptop.workdir, *options)
        assert again.exit_code == 0, again.stderr
    assert f"{NAME} was published before" in again.stdout
    assert first.stdout.partition("\n")[2] == again.stdout.partition("\n")[2]
    asset = yaml.safe_load(first.stdout[first.stdout.index("apiVersion") :])
    assert asset["spec"]["pricing"]["rate"] == "2.5"
    assert asset["spec"]["source"]["prefix"] == f"uploads/{OWNER.lower()}/my-own-model"
    assert SIGNER_KEY.hex() not in first.output + again.output


def a_secret(key: Key, content: dict[str, bytes]) -> dict[str, Any]:
    """As a person writes it into the environment's file."""
    plain = {name: value.decode() for name, value in content.items()}
    metadata = {"name": key.name, "namespace": key.namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": plain}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--owner", "me"), "is no address"),
        (("--price", "1"), "a price needs both"),
        (("--price", "1", "--token", "0x1"), "an address is 0x and 40 hexadecimal digits"),
        (("--free", "--price", "1"), "leave out --price and --token"),
        (("--description", "short"), "at least 10 chars"),
        (("--environment", "absent.yaml", "--owner", OWNER), "absent.yaml can't be read"),
        (("--environment", "absent.yaml"), "say whose it becomes"),
    ],
)
def test_what_is_refused_before_anything_is_brought(
    tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    folder = write_model(tmp_path / "model")
    result = publish(folder, tmp_path / "work", *options)
    assert result.exit_code == REFUSED, result.stderr
    assert sentence in " ".join(result.stderr.split())
    assert not (tmp_path / "work").exists()


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    absent = publish(tmp_path / "absent", tmp_path / "work")
    assert "is no folder" in absent.stderr
    empty = publish(tmp_path, tmp_path / "work")
    assert "it needs a config.json" in " ".join(empty.stderr.split())
    pickled = write_model(tmp_path / "model")
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    refused = publish(pickled, tmp_path / "work")
    assert "save the weights as safetensors" in " ".join(refused.stderr.split())
    assert {found.exit_code for found in (absent, empty, refused)} == {REFUSED}
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("title", "name"),
    [("SmolLM2 (135M)!", "smollm2-135m"), ("Größter", "gr-ter"), ("a" * 99, "a" * 63)],
)
def test_names_in_the_cluster(title: str, name: str) -> None:
    assert key_name(title) == name


def test_a_name_without_a_letter() -> None:
    with pytest.raises(UserError, match="has no letter from a to z"):
        key_name("☃ ☃ ☃")


def test_pricing() -> None:
    assert pricing_of("", "", free=False) == Pricing()
    assert pricing_of("", "", free=True).kind is PricingKind.FREE
    fixed = Pricing(kind=PricingKind.FIXED_RATE, token=TOKEN, rate="2.5")
    assert pricing_of("2.5", TOKEN, free=False) == fixed


def test_a_persons_own_description_stays() -> None:
    facts = ModelFacts(model_type="gpt2", parameter_count=124_000_000, dtype="float32")
    offer = Offer(name=NAME, description="What it is good for.")
    assert described(offer, facts) == offer
    assert "124,000,000" in described(Offer(name=NAME), facts).description
