"""What trust must hold between a job's acceptance and the bytes that its stage step brings."""

from __future__ import annotations

import msgspec

from jobkit.report import Report
from posthuman.api.asset import ModelAsset
from posthuman.api.meta import Key
from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT, Publication
from posthuman.jobs.steps import Role
from tests.assets.lines import ddo, put_line, service
from tests.builders import ALICE, MODEL_INPUT, asset
from tests.fakes.ledger import CHAIN_ID
from tests.fakes.provider import a_ddo
from tests.jobs.test_sources import CODE_NFT, CONTAINER, ORDER, stage, world_that_buys
from tests.jobs.world import World

CODE = did_of(CODE_NFT, CHAIN_ID)
AWAY = Report(reason="StoreUnavailable", message="the store is away")


def submitted() -> tuple[World, Key]:
    """A job that runs an algorithm asset on a model whose owner trusts certain files of it."""
    world = world_that_buys(trustedAlgorithms=[CODE])
    world.provider.ddos[CODE] = a_ddo(CODE)
    trusted = {"did": CODE, "filesChecksum": "f" * 64, "containerSectionChecksum": ""}
    put_line(world.chain, asset(), ddo(service("infer", publisherTrustedAlgorithms=[trusted])))
    nothing = Publication(publication_id="", parents=(), manifest_digest="")
    creation = CreatedNFT(
        publication=nothing, nft=CODE_NFT, datatoken="", hash="0x2", block=1, creator=ALICE
    )
    world.chain.put(creation, ALICE, msgspec.json.encode(a_ddo(CODE)))
    world.objects.create(asset())
    (made,) = world.objects.all(ModelAsset)
    world.objects.write_status(msgspec.structs.replace(made, status=asset().status))
    algorithm = {"did": CODE, "order": ORDER, "container": CONTAINER}
    return world, world.submit(inputs=[MODEL_INPUT], algorithm=algorithm)


async def test_no_files_are_brought_while_the_chain_cant_say_which_are_trusted() -> None:
    """A retry of staging comes long after the job was accepted, when the chain may be away."""
    world, key = submitted()
    await world.passes(key)
    world.cluster.end(world.step(Role.STAGE), "Failed", AWAY, exit_code=1)
    world.chain.reachable = False
    assert await world.passes(key)
    assert len(world.cluster.made_of(Role.STAGE)) == 1
    assert world.reason(key) == "ChainUnreachable"
    world.chain.reachable = True
    await world.passes(key)
    _, plan = stage(world)
    assert len(world.cluster.made_of(Role.STAGE)) == 2
    assert plan.algorithm
    assert plan.algorithm.files_checksum == "f" * 64


async def test_a_job_isnt_accepted_while_the_chain_is_away_and_asks_again_by_itself() -> None:
    world, key = submitted()
    world.chain.reachable = False
    assert await world.passes(key)
    assert world.reason(key) == "ChainUnreachable"
    assert not world.cluster.made
    world.chain.reachable = True
    await world.passes(key)
    assert world.cluster.made_of(Role.STAGE)
