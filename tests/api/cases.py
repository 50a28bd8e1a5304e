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
ONE_SOURCE = "set exactly one of builtin and image"
ONE_ORIGIN = "set exactly one of assetRef, uri and upload"
UPLOAD = "an upload is named by the path that posthuman upload printed"
NAME = "a name is at most 63 small letters, digits and dashes"
MANY_NODES = "more than one node without ReadWriteMany"
STORE = "a store is s3://BUCKET/PREFIX"
UNCHECKED = ("<nil>", "some validation rules were not checked")


OWN = f"uploads/{BOB.lower()}"


class Case(NamedTuple):
    """An object, what it replaces, and the (path, words) of each error; none: it is good."""

    title: str
    body: Body
    errors: tuple[tuple[str, str], ...] = ()
    old: Body | None = None


def _inputs(*inputs: object) -> Body:
    return job(inputs=list(inputs))


def _image(**changes: object) -> Body:
    return job(algorithm={"image": {"reference": "r/x:1", "entrypoint": ["/train"]} | changes})


def _publish(**changes: object) -> Body:
    return job(publish={"name": "GPT-2", "description": "500 more steps"} | changes)


ASSET_REF = {"namespace": "alice", "name": "gpt2"}
LARGE = {"hardware": {"maxNodes": 2, "gpusPerNode": 8}}

GOOD = [
    Case("the smallest job", job()),
    Case("a job's own image", _image(digest=DIGEST)),
    Case(
        "every kind of input",
        _inputs(
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
    Case("a fraction of a token", _publish(reward="0.000000000000000001")),
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
        _inputs(text_input(name="b"), text_input(name="a")),
        old=_inputs(text_input(name="a"), text_input(name="b")),
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

BAD_SHAPES = [
    Case("no owner", job(owner=ABSENT), (("spec.owner", "Required value"), UNCHECKED)),
    Case("no store", environment(store=ABSENT), (("spec.store", "Required value"), UNCHECKED)),
    Case(
        "an input without a name",
        _inputs({"uri": "https://example.org"}),
        (("spec.inputs[0].name", "Required value"), UNCHECKED),
    ),
    Case(
        "words too short for a market",
        _publish(name="GPT", description="500 steps"),
        (
            ("spec.publish.name", "should be at least 4 chars long"),
            ("spec.publish.description", "should be at least 10 chars long"),
        ),
    ),
    Case("no nodes", job(nodes=0), (("spec.nodes", "should be greater than or equal to 1"),)),
    Case("many GPUs", job(gpusPerNode=65), (("spec.gpusPerNode", "less than or equal to 64"),)),
    Case(
        "an address without quotes",
        job(owner=int(BOB, 16) % 2**62),
        (("spec.owner", 'must be of type string: "integer"'), UNCHECKED),
    ),
    Case(
        "nodes as text",
        job(nodes="2"),
        (("spec.nodes", 'must be of type integer: "string"'), UNCHECKED),
    ),
    Case(
        "an unknown kind of input",
        _inputs(text_input(kind="movie")),
        (("spec.inputs[0].kind", 'supported values: "model", "dataset", "file"'), UNCHECKED),
    ),
    Case(
        "a name of an input with a slash",
        _inputs(text_input(name="../x")),
        (("spec.inputs[0].name", "should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'"),),
    ),
    Case(
        "a name of an input that ends a line",
        _inputs(text_input(name="text\n")),
        (("spec.inputs[0].name", "should match"),),
    ),
    Case(
        "an empty name of an input",
        _inputs(text_input(name="")),
        (("spec.inputs[0].name", "should be at least 1 chars long"),),
    ),
    Case(
        "an input that is no object",
        _inputs(text_input(), "text"),
        (
            ("spec.inputs[1]", 'must be of type object: "string"'),
            ("spec.inputs[1]", "must be an object for an array of list-type map"),
            UNCHECKED,
        ),
    ),
    Case(
        "a number beyond 64 bits",
        job(owner=10**30),
        (("spec.owner", 'must be of type string: "number"'), UNCHECKED),
    ),
    Case(
        "two inputs of one name",
        _inputs(text_input(), text_input()),
        (("spec.inputs[1]", 'Duplicate value: {"name":"text"}'),),
    ),
    Case(
        "a long name of an input",
        _inputs(text_input(name="x" * 64)),
        (("spec.inputs[0].name", "Too long: may not be more than 63 bytes"), UNCHECKED),
    ),
    Case(
        "many inputs",
        _inputs(*[text_input(name=f"i{n}") for n in range(33)]),
        (("spec.inputs", "Too many: 33: must have at most 32 items"), UNCHECKED),
    ),
    Case(
        "an empty uri",
        _inputs(text_input(uri="")),
        (
            ("spec.inputs[0].uri", "should be at least 1 chars long"),
            ("spec.inputs[0].uri", "a uri starts with its scheme"),
        ),
    ),
    Case(
        "an unknown access mode",
        environment(workspace={"accessMode": "ReadOnlyMany"}),
        (("spec.workspace.accessMode", "supported values"), UNCHECKED),
    ),
]

BAD_RULES = [
    Case("a name with a dot", named("a.b", job()), (("metadata.name", NAME),)),
    Case("a long name", named("a" * 64, job()), (("metadata.name", NAME),)),
    Case("a short address", job(owner=BOB[:-1]), (("spec.owner", ADDRESS),)),
    Case("no algorithm", job(algorithm={}), (("spec.algorithm", ONE_SOURCE),)),
    Case(
        "two algorithms",
        job(algorithm=_image()["spec"]["algorithm"] | {"builtin": {"name": "train"}}),
        (("spec.algorithm", ONE_SOURCE),),
    ),
    Case(
        "a digest in the reference",
        _image(reference=f"x@{DIGEST}"),
        (("spec.algorithm.image.reference", "what follows an @ in digest"),),
    ),
    Case(
        "a digest cut short",
        _image(digest="sha256:aa"),
        (("spec.algorithm.image.digest", "a digest is sha256: and 64 hexadecimal digits"),),
    ),
    Case(
        "an image without a program",
        _image(entrypoint=None),
        (("spec.algorithm.image.entrypoint", "name the program to run in the image"),),
    ),
    Case("an input from nowhere", _inputs({"name": "a"}), (("spec.inputs[0]", ONE_ORIGIN),)),
    Case(
        "an input from two places",
        _inputs(text_input(), text_input(name="b", assetRef=ASSET_REF)),
        (("spec.inputs[1]", ONE_ORIGIN),),
    ),
    Case(
        "a checksum of an asset",
        _inputs({"name": "model", "assetRef": ASSET_REF, "sha256": "0" * 64}),
        (("spec.inputs[0].sha256", "sha256 belongs to a uri or an upload"),),
    ),
    Case(
        "a checksum that is none",
        _inputs(text_input(sha256="zz")),
        (("spec.inputs[0].sha256", "a sha256 is 64 hexadecimal digits"),),
    ),
    Case(
        "a uri without a scheme",
        _inputs(text_input(uri="example.org")),
        (("spec.inputs[0].uri", "a uri starts with its scheme"),),
    ),
    *[
        Case(
            f"an upload {path}",
            _inputs(text_input(uri=ABSENT, upload=path)),
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
        Case(f"a reward of {amount!r}", _publish(reward=amount), (("spec.publish.reward", AMOUNT),))
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


UNKNOWN_FIELDS = [
    (job(image="x"), 'unknown field "spec.image"'),
    (_inputs(text_input(checksum="x")), 'unknown field "spec.inputs[0].checksum"'),
    (_publish(rewards="1"), 'unknown field "spec.publish.rewards"'),
    (environment(hardware={"gpus": 8}), 'unknown field "spec.hardware.gpus"'),
]
