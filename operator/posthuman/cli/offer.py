"""What a person says of a model to be published, as a ModelAsset. Pure."""

from __future__ import annotations

import re

import msgspec

from jobkit.manifest import ModelFacts
from posthuman.api.asset import Pricing, PricingKind, Source
from posthuman.api.meta import API_VERSION
from posthuman.errors import UserError
from posthuman.local.documents import DEFAULT_NAMESPACE, Document

NO_DIGEST = "sha256:" + 64 * "0"  # stands in until the files are uploaded
LONGEST_NAME = 63


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `posthuman publish`."""

    name: str
    description: str = ""
    license: str = ""
    owner: str = ""
    namespace: str = DEFAULT_NAMESPACE
    pricing: Pricing = Pricing()


def key_name(title: str) -> str:
    """The asset's name in Kubernetes and in the store. Raises UserError if none can be made."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower())[:LONGEST_NAME].strip("-")
    if not name:
        raise UserError(
            f'--name "{title}" has no letter from a to z and no digit, of which the asset\'s name '
            "in the cluster is made: add one"
        )
    return name


def described(offer: Offer, facts: ModelFacts) -> Offer:
    """With a description, if only what the files tell."""
    if offer.description:
        return offer
    words = f"A {facts.model_type} model with {facts.parameter_count:,} parameters ({facts.dtype})."
    return msgspec.structs.replace(offer, description=words)


def pricing_of(rate: str, token: str, free: bool) -> Pricing:
    """Of --price, --token and --free. Raises UserError where they contradict each other."""
    if free and (rate or token):
        raise UserError("--free gives it away: leave out --price and --token, or --free")
    if bool(rate) != bool(token):
        raise UserError(
            "a price needs both: --price, the whole tokens that one datatoken costs, and --token, "
            "the address of the token to pay with"
        )
    if free:
        return Pricing(kind=PricingKind.FREE)
    return Pricing(kind=PricingKind.FIXED_RATE, token=token, rate=rate) if rate else Pricing()


def document_of(offer: Offer, environment: str, source: Source) -> Document:
    """The ModelAsset, as `kubectl apply` takes it."""
    metadata = {"name": offer.name, "description": offer.description}
    if offer.license:
        metadata["license"] = offer.license
    spec = {
        "environmentRef": {"name": environment},
        "owner": offer.owner,
        "source": msgspec.to_builtins(source),
        "metadata": metadata,
    }
    if offer.pricing != Pricing():
        spec["pricing"] = msgspec.to_builtins(offer.pricing)
    body = {
        "apiVersion": API_VERSION,
        "kind": "ModelAsset",
        "metadata": {"name": key_name(offer.name), "namespace": offer.namespace},
        "spec": spec,
    }
    return Document("posthuman publish", "ModelAsset", body)
