"""Can this be sold so? Pure; asked of an asset, and of a job before it runs: hours of training
should not end in a price that no contract takes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from posthuman.api.asset import Pricing, PricingKind, ServiceSpec
from posthuman.api.environment import ChainSpec
from posthuman.api.quantities import parse_duration_seconds, parse_tokens_wei
from posthuman.assets.observed import Problem
from posthuman.errors import UserError

MOST_RATE = Decimal(10) ** 18  # whole tokens: beyond it Ocean's exchange overflows
_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")
_TRUSTED = re.compile("(sha256|did:op):[0-9a-f]{64}")


def review_offer(
    pricing: Pricing, services: Sequence[ServiceSpec], chain: ChainSpec, field: str
) -> Problem | None:
    """The first thing that is wrong; `field`: where the two stand."""
    return (
        _contract(pricing, chain, f"{field}.pricing")
        or _rate(pricing, f"{field}.pricing")
        or _kinds(services, f"{field}.services")
        or next((wrong for one in services if (wrong := _service(one, f"{field}.services"))), None)
    )


def _contract(pricing: Pricing, chain: ChainSpec, field: str) -> Problem | None:
    """Of an environment that names its own contracts; the address book's chains have all."""
    known = chain.contracts
    needed = {
        PricingKind.FIXED_RATE: ("fixedRateExchange", known.fixed_rate_exchange if known else ""),
        PricingKind.FREE: ("dispenser", known.dispenser if known else ""),
    }
    name, address = needed.get(pricing.kind, ("", ""))
    if known is None or not name or address:
        return None
    return Problem(
        "PricingUnavailable",
        f"{field}: {pricing.kind} needs spec.chain.contracts.{name} of the environment, which "
        "names none; ask its admin, or publish with pricing Plain",
    )


def _rate(pricing: Pricing, field: str) -> Problem | None:
    if pricing.kind is not PricingKind.FIXED_RATE:
        return None
    if not _ADDRESS.fullmatch(pricing.token):
        return Problem(
            "InvalidPricing",
            f'{field}.token "{pricing.token}" is no address: name the token that is paid with',
        )
    try:
        wei = parse_tokens_wei(pricing.rate)
    except UserError as error:
        return Problem("InvalidPricing", f"{field}.rate: {error}")
    if wei > 0 and Decimal(pricing.rate) <= MOST_RATE:
        return None
    return Problem(
        "InvalidPricing",
        f'{field}.rate "{pricing.rate}" is no price: more than 0, at most 10^18 tokens; give it '
        "away with pricing Free",
    )


def _kinds(services: Sequence[ServiceSpec], field: str) -> Problem | None:
    kinds = [found.kind for found in services]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice is None:
        return None
    return Problem("InvalidServices", f"{field}: {twice} stands there twice; name each kind once")


def _service(service: ServiceSpec, field: str) -> Problem | None:
    place = f"{field} {service.kind}"
    try:
        if service.timeout:
            parse_duration_seconds(service.timeout)
    except UserError as error:
        return Problem("InvalidServices", f"{place}: timeout {error}")
    for name in service.trusted_algorithms:
        if not _TRUSTED.fullmatch(name):
            return Problem(
                "InvalidServices",
                f'{place}: trustedAlgorithms "{name}" is neither a program\'s digest (sha256: and '
                "64 hex digits) nor an algorithm's DID (did:op: and as many)",
            )
    for address in service.trusted_publishers:
        if not _ADDRESS.fullmatch(address):
            return Problem(
                "InvalidServices",
                f'{place}: trustedPublishers "{address}" is no address: 0x and 40 hex digits',
            )
    return None
