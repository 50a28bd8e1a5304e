"""Manifests of what is bought and sold, and of who signs: orders, DIDs, code, services, keys."""

from __future__ import annotations

from tests.api.bodies import ABSENT, ALICE, BOB, DID, Body, asset, chain, environment, job
from tests.api.cases import (
    ADDRESS,
    AMOUNT,
    DURATION,
    ONE_SOURCE,
    Case,
    inputs_job,
    publish_job,
)

TX = "0x" + "Ab" * 32
SECRET = {"name": "private", "key": "it"}
CONTAINER = {"image": "python:3.13-slim", "entrypoint": "python $ALGO"}
ONE_CODE = "set exactly one of secretRef and uri"
NO_CONTAINER = "say in container which image runs the code"
LOOSE_CONTAINER = "a container runs code of did or raw"
A_DID = "a DID is did:op: and 64 hexadecimal digits"
A_TRANSACTION = "a transaction is 0x and 64 hexadecimal digits"
TRUST = "trust a program by sha256: and 64 hexadecimal digits, or an algorithm by its DID"
ONE_KEY = "set exactly one of signerSecret and remoteSigner"
LOOSE_PASSWORD = "a password opens the keystore file of signerSecret"
REMOTE = {"urlSecret": {"name": "signer", "key": "url"}, "address": ALICE}


def algorithm_job(**algorithm: object) -> Body:
    """A job with this algorithm."""
    return job(algorithm=algorithm)


def signed_by(**changes: object) -> Body:
    """An environment whose chain has these keys (ABSENT removes one)."""
    fields = chain(**changes)
    return environment(chain={name: v for name, v in fields.items() if v is not ABSENT})


def asset_input(**changes: object) -> Body:
    """A bought input but for the changes."""
    return {"name": "model", "kind": "model", "did": DID} | changes


def service(**changes: object) -> Body:
    """A service of a model but for the changes."""
    return {"kind": "train"} | changes


MARKET_GOOD = [
    Case(
        "an algorithm that was bought",
        algorithm_job(
            did=DID,
            container=CONTAINER | {"digest": "sha256:" + "a" * 64, "pullSecretRef": {"name": "r"}},
            order={"txId": TX, "serviceId": "0"},
            userDataSecretRef=SECRET,
        ),
    ),
    Case("code of one's own", algorithm_job(raw={"secretRef": SECRET}, container=CONTAINER)),
    Case("code to download", algorithm_job(raw={"uri": "https://a.b/c.py"}, container=CONTAINER)),
    Case(
        "inputs that were bought",
        inputs_job(
            asset_input(order={"txId": TX}, userDataSecretRef=SECRET),
            {"name": "a", "assetRef": {"namespace": "a", "name": "b"}, "order": {"txId": TX}},
            {"name": "signed", "uriSecretRef": SECRET, "sha256": "0" * 64},
        ),
    ),
    Case("a purchase", job(order={"agreementId": "0x1", "payer": BOB, "validUntil": 5})),
    Case(
        "a model for sale",
        publish_job(
            pricing={"kind": "FixedRate", "token": ALICE, "rate": "2.5"},
            services=[
                service(trustedAlgorithms=[DID, "sha256:" + "a" * 64], builtins=False),
                service(kind="infer", timeout="1h", trustedPublishers=[ALICE]),
            ],
        ),
    ),
    Case("an asset with one service", asset(services=[service(kind="evaluate")])),
    Case("a keystore file", signed_by(signerPasswordSecret={"name": "signer", "key": "password"})),
    Case("a remote signer", signed_by(signerSecret=ABSENT, remoteSigner=REMOTE)),
    Case(
        "a remote signer that moved",
        signed_by(signerSecret=ABSENT, remoteSigner=REMOTE | {"urlSecret": {"name": "other"}}),
        old=signed_by(signerSecret=ABSENT, remoteSigner=REMOTE),
    ),
    Case(
        "an environment that is open to providers",
        environment(
            policy={
                "verifyOrders": True,
                "openAssets": [DID],
                "allowedProviders": [ALICE],
                "allowRawCode": True,
                "trustedAlgorithms": [DID],
            },
            limits={"resultRetention": "720h"},
            pricing={"priceMin": "0.25"},
            description="Eight A100",
        ),
    ),
]

MARKET_BAD = [
    Case(
        "a DID and raw code",
        algorithm_job(did=DID, raw={"uri": "https://a.b"}, container=CONTAINER),
        (("spec.algorithm", ONE_SOURCE),),
    ),
    Case(
        "an algorithm's DID that is none",
        algorithm_job(did="did:op:1", container=CONTAINER),
        (("spec.algorithm.did", A_DID),),
    ),
    Case(
        "a DID without a container",
        algorithm_job(did=DID),
        (("spec.algorithm.container", NO_CONTAINER),),
    ),
    Case(
        "raw code without a container",
        algorithm_job(raw={"secretRef": SECRET}),
        (("spec.algorithm.container", NO_CONTAINER),),
    ),
    Case(
        "a container of a built-in",
        algorithm_job(builtin={"name": "train"}, container=CONTAINER),
        (("spec.algorithm.container", LOOSE_CONTAINER),),
    ),
    Case(
        "raw code from nowhere",
        algorithm_job(raw={}, container=CONTAINER),
        (("spec.algorithm.raw", ONE_CODE),),
    ),
    Case(
        "raw code from two places",
        algorithm_job(raw={"secretRef": SECRET, "uri": "https://a.b"}, container=CONTAINER),
        (("spec.algorithm.raw", ONE_CODE),),
    ),
    Case(
        "a digest in the container's image",
        algorithm_job(did=DID, container={"image": "a@sha256:1"}),
        (("spec.algorithm.container.image", "what follows an @ in digest"),),
    ),
    Case(
        "an order of a built-in",
        algorithm_job(builtin={"name": "train"}, order={"txId": TX}),
        (("spec.algorithm.order", "an order pays for a published algorithm"),),
    ),
    *[
        Case(
            f"an order {title}",
            inputs_job(asset_input(order={"txId": tx_id})),
            (("spec.inputs[0].order.txId", A_TRANSACTION),),
        )
        for title, tx_id in (
            ("cut short", TX[:-1]),
            ("too long", TX + "0"),
            ("without 0x", TX[2:]),
            ("that is no hex", "0x" + "g" * 64),
        )
    ],
    Case(
        "an order of a download",
        inputs_job({"name": "a", "uri": "https://a.b", "order": {"txId": TX}}),
        (("spec.inputs[0].order", "an order pays for an asset"),),
    ),
    Case(
        "user data of an asset here",
        inputs_job(
            {"name": "a", "assetRef": {"namespace": "a", "name": "b"}, "userDataSecretRef": SECRET}
        ),
        (("spec.inputs[0].userDataSecretRef", "user data go to the provider"),),
    ),
    Case(
        "an input that is bought and downloaded",
        inputs_job(asset_input(uri="https://a.b")),
        (("spec.inputs[0]", "set exactly one of assetRef, did, uri, uriSecretRef and upload"),),
    ),
    Case(
        "an input's DID that is none",
        inputs_job(asset_input(did="0x1")),
        (("spec.inputs[0].did", A_DID),),
    ),
    Case(
        "a payer that is no address",
        job(order={"agreementId": "1", "payer": "bob"}),
        (("spec.order.payer", ADDRESS),),
    ),
    Case(
        "a fixed rate without a rate",
        publish_job(pricing={"kind": "FixedRate", "token": ALICE}),
        (("spec.publish.pricing", "a fixed rate needs the token that is paid with, and the rate"),),
    ),
    Case(
        "a service twice",
        asset(services=[service(), service(timeout="1h")]),
        (("spec.services[1]", 'Duplicate value: {"kind":"train"}'),),
    ),
    Case(
        "trust in a name",
        asset(services=[service(trustedAlgorithms=["train"])]),
        (("spec.services[0].trustedAlgorithms[0]", TRUST),),
    ),
    Case(
        "trust in nobody",
        publish_job(services=[service(trustedPublishers=["bob"])]),
        (("spec.publish.services[0].trustedPublishers[0]", ADDRESS),),
    ),
    Case(
        "a service for days",
        asset(services=[service(timeout="7d")]),
        (("spec.services[0].timeout", DURATION),),
    ),
    Case("no signer", signed_by(signerSecret=ABSENT), (("spec.chain", ONE_KEY),)),
    Case("two signers", signed_by(remoteSigner=REMOTE), (("spec.chain", ONE_KEY),)),
    Case(
        "a password without a keystore",
        signed_by(signerSecret=ABSENT, remoteSigner=REMOTE, signerPasswordSecret={"name": "s"}),
        (("spec.chain.signerPasswordSecret", LOOSE_PASSWORD),),
    ),
    Case(
        "a remote signer without an address",
        signed_by(signerSecret=ABSENT, remoteSigner=REMOTE | {"address": "0x1"}),
        (("spec.chain.remoteSigner.address", ADDRESS),),
    ),
    Case(
        "results kept for days",
        environment(limits={"resultRetention": "30d"}),
        (("spec.limits.resultRetention", DURATION),),
    ),
    Case(
        "a price in coins",
        environment(pricing={"priceMin": "1 OCEAN"}),
        (("spec.pricing.priceMin", AMOUNT),),
    ),
    Case(
        "an open asset that is none",
        environment(policy={"openAssets": ["gpt2"]}),
        (("spec.policy.openAssets[0]", A_DID),),
    ),
    Case(
        "a provider that is no address",
        environment(policy={"allowedProviders": ["https://a.b"]}),
        (("spec.policy.allowedProviders[0]", ADDRESS),),
    ),
]
