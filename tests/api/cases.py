"""Manifests and what must be said of them, by a laptop and by a real API server alike."""

from __future__ import annotations

from typing import NamedTuple

from tests.api.bodies import (
    ABSENT,
    ALICE,
    BOB,
    DID,
    DIGEST,
    Body,
    asset,
    chain,
    environment,
    job,
    named,
    text_input,
)

ADDRESS = "an address is 0x and 40 hexadecimal digits, in quotes"
AMOUNT = "an amount is a number of whole tokens"
DURATION = "a duration is written in hours, minutes and seconds"
SIZE = "a size is a number of bytes such as 512Mi"
CORES = 'cores are written as a number such as "4"'
ONE_SOURCE = "set exactly one of builtin, image, did and raw"
ONE_ORIGIN = "set exactly one of assetRef, did, uri, uriSecretRef and upload"
UPLOAD = "an upload is named by the path that posthuman upload printed"
NAME = "a name is at most 63 small letters, digits and dashes"
MANY_NODES = "more than one node without ReadWriteMany"
STORE = "a store is s3://BUCKET/PREFIX"


OWN = f"uploads/{BOB.lower()}"


class Case(NamedTuple):
    """An object, what it replaces, and the (path, words) of each error; none: it is good."""

    title: str
    body: Body
    errors: tuple[tuple[str, str], ...] = ()
    old: Body | None = None


def inputs_job(*inputs: object) -> Body:
    """A job with these inputs."""
    return job(inputs=list(inputs))


def image_job(**changes: object) -> Body:
    """A job with an image of its own."""
    return job(algorithm={"image": {"reference": "r/x:1", "entrypoint": ["/train"]} | changes})


def publish_job(**changes: object) -> Body:
    """A job that publishes."""
    return job(publish={"name": "GPT-2", "description": "500 more steps"} | changes)


ASSET_REF = {"namespace": "alice", "name": "gpt2"}
LARGE = {"hardware": {"maxNodes": 2, "gpusPerNode": 8}}

GOOD = [
    Case("the smallest job", job()),
    Case("a job's own image", image_job(digest=DIGEST)),
    Case(
        "every kind of input",
        inputs_job(
            {"name": "model", "kind": "model", "assetRef": ASSET_REF},
            text_input(sha256="0" * 64),
            {
                "name": "mine",
                "upload": f"{OWN}/corpus/a..b.jsonl",
                "kind": "file",
                "sha256": "f" * 64,
            },
        ),
    ),
    Case("parameters of any shape", job(parameters={"steps": 5, "deep": [{"a": None, "b": 1.5}]})),
    Case("a fraction of a token", publish_job(reward="0.000000000000000001")),
    Case("null is absent", job(timeout=None, inputs=None, publish=None)),
    Case("the smallest environment", environment()),
    Case("a file store", environment(store={"url": "file:///srv/results"})),
    Case("many nodes", environment(**LARGE, workspace={"accessMode": "ReadWriteMany"})),
    Case("a chain", environment(chain=chain(marketFee={"address": ALICE, "token": BOB}))),
    Case("the smallest asset", asset()),
    Case("a trained asset", asset(parents=[DID], reward={"to": BOB, "amount": "200"})),
    Case("a job suspended", job(suspend=True), old=job()),
    Case("a job stopped", job(stop=True), old=job()),
    Case("a job kept longer", job(ttlSecondsAfterFinished=9), old=job(ttlSecondsAfterFinished=5)),
    Case("a default written out", job(nodes=1, inputs=[]), old=job()),
    Case(
        "inputs in another order",
        inputs_job(text_input(name="b"), text_input(name="a")),
        old=inputs_job(text_input(name="a"), text_input(name="b")),
    ),
    Case("limits raised", environment(limits={"maxJobs": 7}), old=environment()),
    Case(
        "another node of the same chain",
        environment(chain=chain(rpcUrlSecret={"name": "other"}, confirmations=3)),
        old=environment(chain=chain()),
    ),
    Case(
        "an asset's words",
        asset(metadata={"name": "Gpt2", "description": "ten chars."}),
        old=asset(),
    ),
]

BAD_RULES = [
    Case("a name with a dot", named("a.b", job()), (("metadata.name", NAME),)),
    Case("a long name", named("a" * 64, job()), (("metadata.name", NAME),)),
    Case("a short address", job(owner=BOB[:-1]), (("spec.owner", ADDRESS),)),
    Case("no algorithm", job(algorithm={}), (("spec.algorithm", ONE_SOURCE),)),
    Case(
        "two algorithms",
        job(algorithm=image_job()["spec"]["algorithm"] | {"builtin": {"name": "train"}}),
        (("spec.algorithm", ONE_SOURCE),),
    ),
    Case(
        "a digest in the reference",
        image_job(reference=f"x@{DIGEST}"),
        (("spec.algorithm.image.reference", "what follows an @ in digest"),),
    ),
    Case(
        "a digest cut short",
        image_job(digest="sha256:aa"),
        (("spec.algorithm.image.digest", "a digest is sha256: and 64 hexadecimal digits"),),
    ),
    Case(
        "an image without a program",
        image_job(entrypoint=None),
        (("spec.algorithm.image.entrypoint", "name the program to run in the image"),),
    ),
    Case("an input from nowhere", inputs_job({"name": "a"}), (("spec.inputs[0]", ONE_ORIGIN),)),
    Case(
        "an input from two places",
        inputs_job(text_input(), text_input(name="b", assetRef=ASSET_REF)),
        (("spec.inputs[1]", ONE_ORIGIN),),
    ),
    Case(
        "a checksum of an asset",
        inputs_job({"name": "model", "assetRef": ASSET_REF, "sha256": "0" * 64}),
        (("spec.inputs[0].sha256", "sha256 belongs to a uri or an upload"),),
    ),
    Case(
        "a checksum that is none",
        inputs_job(text_input(sha256="zz")),
        (("spec.inputs[0].sha256", "a sha256 is 64 hexadecimal digits"),),
    ),
    Case(
        "a uri without a scheme",
        inputs_job(text_input(uri="example.org")),
        (("spec.inputs[0].uri", "a uri starts with its scheme"),),
    ),
    *[
        Case(
            f"an upload {path}",
            inputs_job(text_input(uri=ABSENT, upload=path)),
            (("spec.inputs[0].upload", UPLOAD),),
        )
        for path in (
            *("corpus/x", "../x", f"uploads/{BOB}/x", f"uploads/{BOB[:-1].lower()}/x", OWN),
            *(f"{OWN}/{rest}" for rest in ("../x", "a/../b", "a//b", "./a", "a/..", "..")),
            *(f"/{OWN}/x", f"uploads//{OWN}/x"),
        )
    ],
    Case("a timeout in days", job(timeout="1d"), (("spec.timeout", DURATION),)),
    Case("no memory", job(resources={"memory": "4GB"}), (("spec.resources.memory", SIZE),)),
    Case("no cores", job(resources={"cpu": "half"}), (("spec.resources.cpu", CORES),)),
    *[
        Case(
            f"a reward of {amount!r}",
            publish_job(reward=amount),
            (("spec.publish.reward", AMOUNT),),
        )
        for amount in ("-1", "1e3", ".5", "1.", "", "0." + "1" * 19)
    ],
    Case(
        "many nodes, one writer", environment(**LARGE), (("spec.workspace.accessMode", MANY_NODES),)
    ),
    *[
        Case(f"a store at {url}", environment(store={"url": url}), (("spec.store.url", STORE),))
        for url in ("https://example.org", "s3://ab", "file:relative", "s3://BIG/x")
    ],
    Case(
        "an endpoint without a scheme",
        environment(store={"url": "s3://abc", "endpoint": "10.0.0.1:7070"}),
        (("spec.store.endpoint", "write a URL that starts with https:// or http://"),),
    ),
    Case(
        "a tenant's owner that is no address",
        environment(policy={"tenants": [{"namespace": "bob", "owners": [BOB, "bob"]}]}),
        (("spec.policy.tenants[0].owners[1]", ADDRESS),),
    ),
    Case(
        "a network that is none",
        environment(policy={"allowedPrivateCIDRs": ["10.0.0.1"]}),
        (("spec.policy.allowedPrivateCIDRs[0]", "a network is an address and a length"),),
    ),
    Case(
        "a market fee that is no number",
        environment(chain=chain(marketFee={"address": ALICE, "token": ALICE, "amount": "1%"})),
        (("spec.chain.marketFee.amount", AMOUNT),),
    ),
    Case(
        "an asset outside its folder",
        asset(source={"prefix": "uploads/../jobs", "manifestDigest": DIGEST}),
        (("spec.source.prefix", "a prefix is the path of a folder in the store"),),
    ),
    Case("a parent that is no DID", asset(parents=["0x1"]), (("spec.parents[0]", "a DID is"),)),
    Case(
        "several things at once",
        job(owner="bob", timeout="soon", algorithm={}),
        (("spec.owner", ADDRESS), ("spec.timeout", DURATION), ("spec.algorithm", ONE_SOURCE)),
    ),
]
