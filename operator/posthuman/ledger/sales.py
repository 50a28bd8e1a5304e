"""Ocean's ways to sell a datatoken, as arguments of the factory's calls.

The exchange and the dispenser mint what they give out, and stay minters after the NFT's transfer;
the operator doesn't. What is paid to the exchange is the owner's to collect (`collectBT`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from web3 import AsyncWeb3
from web3.constants import ADDRESS_ZERO

from posthuman.chain import Sale
from posthuman.errors import UserError
from posthuman.ledger.contracts import Deployment

DATATOKEN_DECIMALS = 18
WITH_MINT = 1
ONE_DATATOKEN_WEI = 10**18  # what a stranger may draw from the dispenser, and hold, at a time
NO_SWAP_FEE = 0


def exchange_of(sale: Sale, deployment: Deployment, token_decimals: int) -> tuple[Any, ...]:
    """The struct FixedData. Raises UserError where the chain has no exchange that is known."""
    exchange = deployment.contracts.fixed_rate_exchange
    _check(exchange, "fixedRateExchange")
    owner = AsyncWeb3.to_checksum_address(sale.owner)
    token = AsyncWeb3.to_checksum_address(sale.token)
    rate_wei = int(Decimal(sale.rate).scaleb(18))
    numbers = [token_decimals, DATATOKEN_DECIMALS, rate_wei, NO_SWAP_FEE, WITH_MINT]
    return exchange, [token, owner, owner, ADDRESS_ZERO], numbers


def dispenser_of(deployment: Deployment) -> tuple[Any, ...]:
    """The struct DispenserData. Raises UserError where the chain has no dispenser that is known."""
    dispenser = deployment.contracts.dispenser
    _check(dispenser, "dispenser")
    return dispenser, ONE_DATATOKEN_WEI, ONE_DATATOKEN_WEI, bool(WITH_MINT), ADDRESS_ZERO


def _check(address: str, field: str) -> None:
    if not address:
        raise UserError(
            f"no such contract is known on this chain: set spec.chain.contracts.{field} of the "
            "environment, or publish with pricing Plain",
            "PricingUnavailable",
        )
