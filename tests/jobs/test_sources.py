"""What a job names by Secret or buys elsewhere: who is given it, for how long, and who never is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jobkit.plan import StagePlan
from jobkit.provider_access import ACCESS_FILE, ProviderAccess
from jobkit.report import Report
from posthuman.api.asset import ModelAsset
from posthuman.api.job import Phase
from posthuman.api.meta import Key
from posthuman.api.parse import dump
from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT, Publication
from posthuman.errors import NotFound, SecretForbidden, TransientError
from posthuman.jobs.private import turn_of
from posthuman.jobs.sources import CODE_PATH, words_of
from posthuman.jobs.steps import Role, Step, private_name, pull_name
from tests.assets.lines import ddo, put_line, service
from tests.builders import ALICE, CHAIN, MODEL_INPUT, asset
from tests.fakes.ledger import CHAIN_ID
from tests.fakes.provider import PROVIDER_URL, a_ddo
from tests.jobs.world import World

SIGNED = b"https://bucket.example/text.jsonl?X-Amz-Signature=c0ffee"
TEXT = "did:op:" + "a1" * 32
CODE = "did:op:" + "b2" * 32
BUYS = {**CHAIN, "providerUrl": PROVIDER_URL, "consumerKeySecret": {"name": "consumer"}}
CODE_NFT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
ORDER = {"txId": "0x" + "0d" * 32}
IMAGES = {"allowedImages": ["docker.io/oceanprotocol"], "allowRawCode": True}
CONTAINER = {"image": "docker.io/oceanprotocol/algo:1", "entrypoint": "python3 $ALGO"}
MODEL = {"name": "model", "kind": "model", "uri": "https://example.com/model"}
HIDDEN = {"name": "text", "kind": "dataset", "uriSecretRef": {"name": "mine", "key": "url"}}
BOUGHT = {"name": "text", "kind": "dataset", "did": TEXT, "order": ORDER}


def world_that_buys(**policy: Any) -> World:
    world = World(chain=BUYS, policy={**IMAGES, **policy})
    world.provider.ddos = {TEXT: a_ddo(TEXT), CODE: a_ddo(CODE)}
    return world


def own_code(**fields: Any) -> dict[str, Any]:
    return {"algorithm": {"did": CODE, "order": ORDER, "container": {**CONTAINER, **fields}}}


def stage(world: World) -> tuple[Step, StagePlan]:
    step = world.cluster.made_of(Role.STAGE)[-1]
    assert isinstance(step.plan, StagePlan)
    return step, step.plan


def said_anywhere(world: World, key: Key) -> str:
    """Everything that others may read of a job."""
    plans = b"".join(msgspec.json.encode(step.plan) for step in world.cluster.made)
    told = " ".join(f"{event.reason} {event.message}" for event in world.cluster.events)
    job = msgspec.json.encode(dump(world.get(key)))
    return f"{plans.decode()} {job.decode()} {told} {world.cluster.made}"


async def test_a_signed_url_is_given_to_the_stage_step_alone() -> None:
    world = World()
    world.objects.put_secret(Key("bob", "mine"), {"url": SIGNED, "other": b"not asked for"})
    key = world.submit(inputs=[MODEL, HIDDEN])
    await world.passes(key)
    step, plan = stage(world)
    assert world.cluster.privates[private_name(step.name)].content == {"input-text-uri": SIGNED}
    (text,) = (found for found in plan.inputs if found.name == "text")
    assert (text.uri, text.uri_file) == ("", "input-text-uri")
    world.cluster.end(step.name)
    await world.passes(key)
    assert world.cluster.privates == {}
    run = world.cluster.made_of(Role.RUN)[-1]
    assert not run.has_private
    assert "c0ffee" not in said_anywhere(world, key)


@pytest.mark.parametrize("ending", ["wrong", "suspended", "stopped"])
async def test_what_was_private_goes_however_staging_ends(ending: str) -> None:
    world = World()
    world.objects.put_secret(Key("bob", "mine"), {"url": SIGNED})
    key = world.submit(inputs=[MODEL, HIDDEN])
    await world.passes(key)
    step, _ = stage(world)
    if ending == "wrong":
        report = Report(reason="InputForbidden", message="no", user_error=True)
        world.cluster.end(step.name, "Failed", report=report, exit_code=2)
    elif ending == "suspended":
        world.edit(key, suspend=True)
    else:
        world.edit(key, stop=True)
    await world.passes(key)
    assert world.cluster.privates == {}


async def test_another_try_gets_its_own() -> None:
    world = World()
    world.objects.put_secret(Key("bob", "mine"), {"url": SIGNED})
    key = world.submit(inputs=[MODEL, HIDDEN])
    await world.passes(key)
    world.cluster.end(stage(world)[0].name, "Failed", Report(reason="SourceUnavailable"), 1)
    await world.passes(key)
    assert list(world.cluster.privates) == [private_name(stage(world)[0].name)]
    assert stage(world)[0].attempt == 2


async def test_a_secret_that_is_not_there_is_said_before_anything_is_made() -> None:
    world = World()
    key = world.submit(inputs=[MODEL, HIDDEN])
    with pytest.raises(NotFound):
        await world.passes(key)
    assert world.reason(key) == "SecretNotFound"
    assert not world.cluster.anchors
    world.objects.put_secret(Key("bob", "mine"), {"url": SIGNED})
    await world.passes(key)
    assert world.status(key).phase is Phase.STAGING


async def test_a_namespace_whose_secrets_may_not_be_read() -> None:
    world = World()
    world.cluster.closed = {"bob"}
    key = world.submit(inputs=[MODEL, HIDDEN])
    with pytest.raises(SecretForbidden):
        await world.passes(key)
    assert world.reason(key) == "SecretForbidden"


async def test_a_key_that_the_secret_has_not() -> None:
    world = World()
    world.objects.put_secret(Key("bob", "mine"), {"uri": SIGNED})
    key = world.submit(inputs=[MODEL, HIDDEN])
    with pytest.raises(Exception, match='has no key "url"'):
        await world.passes(key)
    assert world.reason(key) == "SecretKeyMissing"


async def test_bought_data_comes_with_a_token_and_its_ddo() -> None:
    world = world_that_buys()
    world.objects.put_secret(Key("bob", "mine"), {"data": b'{"age": 5}'})
    paid = {**BOUGHT, "userDataSecretRef": {"name": "mine"}}
    key = world.submit(inputs=[MODEL, paid])
    await world.passes(key)
    step, plan = stage(world)
    private = world.cluster.privates[private_name(step.name)].content
    access = msgspec.json.decode(private[ACCESS_FILE], type=ProviderAccess)
    assert access.token == "token-1"
    assert private["input-text-user-data"] == b'{"age": 5}'
    assert plan.ddos == {TEXT: a_ddo(TEXT)}
    (text,) = (found for found in plan.inputs if found.name == "text")
    assert text.bought is not None
    assert (text.bought.url, text.bought.service_id, text.bought.tx_id) == (
        PROVIDER_URL,
        "s0",
        ORDER["txId"],
    )
    assert (text.folder, text.numbered) == ("text", False), "a built-in finds it by its name"
    assert [record.did for record in world.status(key).inputs] == ["", TEXT]
    assert "token-1" not in said_anywhere(world, key)


async def test_an_algorithm_of_ocean_s_finds_all_where_it_looks() -> None:
    world = world_that_buys()
    key = world.submit(inputs=[BOUGHT], **own_code())
    await world.to_running(key)
    _, plan = stage(world)
    assert plan.algorithm is not None and plan.algorithm.bought is not None
    assert plan.inputs[0].folder == TEXT.removeprefix("did:op:")
    assert plan.inputs[0].numbered
    run = world.cluster.made_of(Role.RUN)[-1]
    assert (run.image, run.command) == (CONTAINER["image"], ("python3", CODE_PATH))
    assert {mount.path for mount in run.mounts if mount.read_only} == {
        *("/data/inputs", "/data/ddos", "/data/transformations")
    }
    variables = dict(run.variables)
    assert variables["DIDS"] == f'["{TEXT.removeprefix("did:op:")}"]'
    assert variables["TRANSFORMATION_DID"] == CODE.removeprefix("did:op:")
    assert variables["secret"] == ""
    assert (variables["VOLUME"], variables["LOGS"]) == ("/data", "/data/logs")
    assert run.store_credentials is False


async def test_raw_code_from_a_secret() -> None:
    world = world_that_buys()
    world.objects.put_secret(Key("bob", "mine"), {"code": b"print(1)"})
    raw = {"raw": {"secretRef": {"name": "mine"}}, "container": CONTAINER}
    key = world.submit(inputs=[], algorithm=raw)
    await world.passes(key)
    step, plan = stage(world)
    assert plan.algorithm is not None
    assert plan.algorithm.code_file == "algorithm-code"
    assert world.cluster.privates[private_name(step.name)].content == {
        "algorithm-code": b"print(1)"
    }


async def test_a_registry_s_credentials_go_to_the_kubelet_alone() -> None:
    world = world_that_buys()
    config = {".dockerconfigjson": b'{"auths": {}}'}
    key = world.submit(inputs=[], **own_code(pullSecretRef={"name": "registry"}))
    with pytest.raises(NotFound):
        await world.passes(key)
    assert not world.cluster.made, "it is missed before anything is staged"
    world.objects.put_secret(Key("bob", "registry"), config)
    await world.to_running(key)
    run = world.cluster.made_of(Role.RUN)[-1]
    private = world.cluster.privates[pull_name(run.name)]
    assert (private.content, private.pulls) == (config, True)
    assert not run.has_private
    assert not stage(world)[0].pull_secret


async def test_without_tokens_jobs_download_one_after_the_other() -> None:
    world = world_that_buys()
    world.provider.has_tokens = False
    one = world.submit("one", "11112222-0001", inputs=[MODEL, BOUGHT])
    two = world.submit("two", "11112222-0002", inputs=[MODEL, BOUGHT])
    await world.passes(one)
    with pytest.raises(TransientError, match="one at a time"):
        await world.passes(two)
    assert world.reason(two) == "DownloadTurn"
    assert world.cluster.turns == {turn_of(world.environment): "11112222-0001"}
    first, _ = stage(world)
    private = world.cluster.privates[private_name(first.name)].content
    assert msgspec.json.decode(private[ACCESS_FILE], type=ProviderAccess).tickets[TEXT]
    world.cluster.end(first.name)
    await world.passes(one)
    await world.passes(two)
    assert world.status(two).phase is Phase.STAGING
    assert world.cluster.turns == {turn_of(world.environment): "11112222-0002"}


async def test_a_turn_ends_with_the_job_that_has_it() -> None:
    world = world_that_buys()
    world.provider.has_tokens = False
    key = world.submit(inputs=[MODEL, BOUGHT])
    await world.passes(key)
    await world.cluster.delete_job(key)
    await world.passes(key)
    assert world.cluster.turns == {}
    assert world.cluster.privates == {}


async def test_a_ddo_that_changed_since_the_job_was_accepted_is_waited_for() -> None:
    world = world_that_buys()
    key = world.submit(inputs=[MODEL, BOUGHT], suspend=True)
    await world.passes(key)
    world.provider.ddos[TEXT] = a_ddo(TEXT, endpoint="https://elsewhere.example")
    world.edit(key, suspend=False)
    await world.passes(key)
    assert world.reason(key) == "ProviderNotTrusted"
    assert not world.cluster.made


@pytest.mark.parametrize(
    ("entrypoint", "words"),
    [
        ("python3 $ALGO", ("python3", CODE_PATH)),
        ("node $ALGO --name 'two words'", ("node", CODE_PATH, "--name", "two words")),
        ("/app/run.sh", ("/app/run.sh",)),
        ("$ALGO", (CODE_PATH,)),
        ('bash -c "echo one; echo two"', ("bash", "-c", "echo one; echo two")),
    ],
)
def test_an_entrypoint_is_split_as_a_shell_would(entrypoint: str, words: tuple[str, ...]) -> None:
    assert words_of(entrypoint) == words


@pytest.mark.parametrize(
    "entrypoint", ["pip install x && python3 $ALGO", 'echo "$HOME" $ALGO', "python3 $ALGO 'open"]
)
def test_what_is_more_than_words_is_a_shell_s_to_run(entrypoint: str) -> None:
    assert words_of(entrypoint) == ("/bin/sh", "-c", entrypoint)


async def test_a_registry_s_secret_that_is_gone_holds_up_no_export() -> None:
    world = world_that_buys()
    world.objects.put_secret(Key("bob", "registry"), {".dockerconfigjson": b"{}"})
    key = world.submit(inputs=[], **own_code(pullSecretRef={"name": "registry"}))
    await world.to_exporting(key)
    world.cluster.closed = {"bob"}
    await world.export(key, model=False)
    assert world.status(key).phase is Phase.SUCCEEDED


async def test_code_that_a_model_s_owner_trusts_must_be_the_files_that_were_trusted() -> None:
    code = did_of(CODE_NFT, CHAIN_ID)
    world = world_that_buys(trustedAlgorithms=[code])
    world.provider.ddos[code] = a_ddo(code)
    trusted = {"did": code, "filesChecksum": "f" * 64, "containerSectionChecksum": ""}
    put_line(world.chain, asset(), ddo(service("infer", publisherTrustedAlgorithms=[trusted])))
    nothing = Publication(publication_id="", parents=(), manifest_digest="")
    creation = CreatedNFT(
        publication=nothing, nft=CODE_NFT, datatoken="", hash="0x2", block=1, creator=ALICE
    )
    world.chain.put(creation, ALICE, msgspec.json.encode(a_ddo(code)))
    world.objects.create(asset())
    ready = world.objects.all(ModelAsset)[0]
    world.objects.write_status(msgspec.structs.replace(ready, status=asset().status))
    algorithm = {"did": code, "order": ORDER, "container": CONTAINER}
    key = world.submit(inputs=[MODEL_INPUT], algorithm=algorithm)
    await world.passes(key)
    assert world.cluster.made, world.status(key).conditions
    _, plan = stage(world)
    assert plan.algorithm is not None
    assert plan.algorithm.files_checksum == "f" * 64


def published_in_its_image(did: str) -> dict[str, Any]:
    extra = {"posthuman": {"programDigest": "sha256:" + "c" * 64}}
    return a_ddo(did, "urn:none") | {"metadata": {"additionalInformation": extra}}


async def test_an_algorithm_that_lies_in_its_image_is_not_fetched() -> None:
    world = world_that_buys()
    world.provider.ddos[CODE] = published_in_its_image(CODE)
    key = world.submit(inputs=[], **own_code(entrypoint="/app/run.sh"))
    await world.to_running(key)
    step, plan = stage(world)
    assert plan.algorithm is None
    assert step.bought == ()
    assert list(plan.ddos) == [CODE]
    assert world.cluster.made_of(Role.RUN)[-1].command == ("/app/run.sh",)


async def test_a_job_whose_secret_never_comes_fails_when_its_time_is_over() -> None:
    world = World(limits={"maxQueueTime": "1h"})
    key = world.submit(inputs=[MODEL, HIDDEN])
    with pytest.raises(NotFound):
        await world.passes(key)
    world.clock.forward(3601)
    await world.passes(key)
    assert world.status(key).phase is Phase.FAILED
    assert world.reason(key) == "QueueTimeout"
