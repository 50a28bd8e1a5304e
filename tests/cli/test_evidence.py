"""`posthuman lineage` and `verify` against an environment: in a cluster, in a file, or by flags."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from eth_account import Account
from typer.testing import CliRunner, Result

from jobkit.manifest import Manifest, ManifestFile, digest_of, encode_manifest
from posthuman.assets.ddo import in_clear
from posthuman.assets.did import did_of
from posthuman.chain import MarketFee, Publication, UnsignedTransaction
from posthuman.cli.app import app
from posthuman.ledger.account import DEV_KEYS
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.ocean import OceanLedger, open_ledger
from tests.services.api_server import ApiServer, Body, api_server
from tests.services.chain import Chain, mined

pytestmark = pytest.mark.chain
PREFIX = "uploads/alice/gpt2"
SIGNER = Account.from_key(DEV_KEYS[7]).address
WEIGHTS = b"alice's weights"
S3 = "s3://alices-bucket/results"


class World:
    """A model on chain, its files in a folder, and an environment that says where both are."""

    def __init__(self, chain: Chain, folder: Path) -> None:
        self.chain = chain
        self.store = folder / "store"
        self.manifest = self._uploaded()
        self.did = asyncio.run(self._published())

    def _uploaded(self) -> bytes:
        file = ManifestFile(
            path="model/w.safetensors",
            sha256=hashlib.sha256(WEIGHTS).hexdigest(),
            size=len(WEIGHTS),
            file_class="custody",
        )
        raw = encode_manifest(Manifest(files=(file,)))
        folder = self.store / PREFIX
        (folder / "model").mkdir(parents=True)
        (folder / file.path).write_bytes(WEIGHTS)
        (folder / "manifest.json").write_bytes(raw)
        return raw

    async def _published(self) -> str:
        ledger = open_ledger(self.chain.url, DEV_KEYS[7], self.chain.spec())
        said = Publication(publication_id="p", parents=(), manifest_digest=digest_of(self.manifest))
        created = await _sent(ledger, await ledger.prepare_create(said, "GPT-2", MarketFee()))
        facts = {"additionalInformation": {"posthuman": {"prefix": PREFIX}}}
        ddo = in_clear(json.dumps({"metadata": facts}).encode())
        await _sent(ledger, await ledger.prepare_metadata(created.nft, ddo))
        await ledger.close()
        return did_of(created.nft, CHAIN_ID)

    def environment(self, store: str = "") -> Body:
        """As the API server has it; its Secrets lie elsewhere."""
        chain = {
            "chainId": CHAIN_ID,
            "rpcUrlSecret": {"name": "chain-rpc"},
            "signerSecret": {"name": "chain-signer"},
            "contracts": {"erc721Factory": self.chain.contracts.erc721_factory},
        }
        return {
            "apiVersion": "compute.posthuman.network/v1alpha1",
            "kind": "ComputeEnvironment",
            "metadata": {"name": "a100"},
            "spec": {
                "workNamespace": "work",
                "store": {"url": store or self.store.as_uri()},
                "chain": chain,
            },
            "status": {"signer": SIGNER},
        }


async def _sent(ledger: OceanLedger, unsigned: UnsignedTransaction) -> Any:
    signed = await ledger.sign(unsigned, (await ledger.nonces()).pending)
    await ledger.send(signed.raw)
    return await mined(ledger, signed.hash)


@pytest.fixture(scope="module")
def world(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(chain, tmp_path_factory.mktemp("evidence"))


@pytest.fixture
def api(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        server.hold(world.environment())
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
        monkeypatch.chdir(tmp_path)
        yield server


def run(command: str, world: World, *options: str, did: str = "") -> Result:
    return CliRunner().invoke(app, [command, did or world.did, *options])


def said(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_by_the_name_of_an_environment_in_the_cluster(api: ApiServer, world: World) -> None:
    options = ("--environment", "a100", "--rpc", world.chain.url, "-o", "json")
    verified = run("verify", world, *options)
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout)["files"] == 1
    told = run("lineage", world, *options)
    assert told.exit_code == 0, told.output
    assert (json.loads(told.stdout)["store"], json.loads(told.stdout)["problem"]) == ("matches", "")
    assert {verb for verb, _ in api.asked} == {"GET"}
    assert not [path for _, path in api.asked if "secret" in path]


def test_a_changed_file_is_found_there_too(api: ApiServer, world: World) -> None:
    file = world.store / PREFIX / "model" / "w.safetensors"
    file.write_bytes(WEIGHTS[:-1] + b"z")
    result = run("verify", world, "--environment", "a100", "--rpc", world.chain.url)
    file.write_bytes(WEIGHTS)
    assert result.exit_code == 1
    assert "w.safetensors has sha256" in said(result)


def test_without_access_to_the_store_it_says_what_was_not_checked(
    api: ApiServer, world: World
) -> None:
    api.hold(world.environment(S3))
    options = ("--environment", "a100", "--rpc", world.chain.url)
    verified = run("verify", world, *options)
    assert verified.exit_code == 3, verified.output
    assert "what could be checked fits" in verified.stdout
    for part in ("receipt", "manifest", "files"):
        assert f"NOT CHECKED: {part}: no credentials for {S3}" in verified.stdout
    told = run("lineage", world, *options)
    assert told.exit_code == 0, told.output
    assert "files not checked" in told.stdout
    assert f"the store was not read: no credentials for {S3}" in said(told)


def test_another_store_may_be_named(api: ApiServer, world: World) -> None:
    api.hold(world.environment(S3))
    options = ("--environment", "a100", "--rpc", world.chain.url, "--store", world.store.as_uri())
    assert run("verify", world, *options).exit_code == 0
    elsewhere = (*options[:-1], "file:///nowhere")
    assert "file:///nowhere is not on this machine" in run("verify", world, *elsewhere).stdout


def test_a_node_must_be_named_where_its_secret_is_the_operators(
    api: ApiServer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("lineage", world, "--environment", "a100")
    assert result.exit_code == 2
    assert "name a node yourself, by --rpc or POSTHUMAN_RPC_URL" in said(result)
    monkeypatch.setenv("POSTHUMAN_RPC_URL", world.chain.url)
    assert run("lineage", world, "--environment", "a100").exit_code == 0


def test_an_environment_that_is_not_there(api: ApiServer, world: World) -> None:
    result = run("verify", world, "--environment", "h100", "--rpc", world.chain.url)
    assert result.exit_code == 2
    assert 'there is no ComputeEnvironment "h100" in the cluster' in said(result)
    result = run("verify", world, "--environment", "./h100.yaml", "--rpc", world.chain.url)
    assert "there is no file h100.yaml, and it is no name" in said(result)


def test_who_may_not_read_environments_is_told_so(api: ApiServer, world: World) -> None:
    api.refused = {"GET"}
    result = run("verify", world, "--environment", "a100", "--rpc", world.chain.url)
    assert result.exit_code == 2
    assert "you may not read ComputeEnvironments in the cluster" in said(result)


def test_another_context_is_another_cluster(api: ApiServer, world: World) -> None:
    options = ("--environment", "a100", "--rpc", world.chain.url, "--context")
    result = run("verify", world, *options, "gone")
    assert result.exit_code == 1
    assert "the API server can't be reached" in said(result)
    result = run("verify", world, *options, "nowhere")
    assert result.exit_code == 2
    assert 'context "nowhere" of' in said(result)
    assert run("verify", world, *options, "lab").exit_code == 0


def test_whom_to_believe_is_said_by_the_environment_or_the_person(
    api: ApiServer, world: World, tmp_path: Path
) -> None:
    """A file of an environment knows no status; its key, or --trust, says it."""
    body = world.environment() | {"status": {}}
    api.hold(body)
    options = ("--environment", "a100", "--rpc", world.chain.url)
    result = run("verify", world, *options)
    assert result.exit_code == 2
    assert "say whose signature you believe: --trust 0x" in said(result)
    assert run("verify", world, *options, "--trust", SIGNER.lower()).exit_code == 0
    stranger = Account.create().address
    result = run("verify", world, *options, "--trust", stranger)
    assert result.exit_code == 1
    assert "publisher: " in said(result)
    assert run("verify", world, *options, "--trust", "bob").exit_code == 2


def test_from_an_environments_file_with_its_secrets(world: World, tmp_path: Path) -> None:
    file = tmp_path / "environment.yaml"
    environment = world.environment()
    del environment["status"]
    secrets = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "work"},
            "stringData": {key: value},
        }
        for name, key, value in (
            ("chain-rpc", "url", world.chain.url),
            ("chain-signer", "key", DEV_KEYS[7].hex()),
        )
    ]
    file.write_text(yaml.safe_dump_all([environment, *secrets]))
    for command in ("verify", "lineage"):
        result = run(command, world, "--environment", str(file))
        assert result.exit_code == 0, result.output
    assert "unknown publisher" not in result.stdout
