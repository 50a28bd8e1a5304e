"""What a lineage or a receipt is checked against: a chain, a store, and whom to believe.

All of it comes from a workdir, from an environment (a file, or one in the person's cluster), or
from flags. A store that can't be had is no error: what it would have shown is said to be unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from posthuman.api.environment import StoreSpec
from posthuman.cli.chain_place import ChainPlace, OpenChain, known, opened_chain
from posthuman.cli.known_environment import KnownEnvironment, own_credentials
from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.local.chain import SIGNER_KEY
from posthuman.local.embedded import store_url
from posthuman.ports import ResultStore
from posthuman.store.results import open_results

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class StoreWish(msgspec.Struct, frozen=True, kw_only=True):
    """A store that a person names, in the place of the environment's; no `url`: none is."""

    url: str = ""
    endpoint: str = ""
    region: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """`no_store`: why there is none, in words for a person."""

    chain: OpenChain
    publishers: frozenset[str]
    store: ResultStore | None = None
    no_store: str = ""


@contextmanager
def opened_evidence(
    place: ChainPlace, store: StoreWish, trusted: Sequence[str]
) -> Iterator[Evidence]:
    """While the block lasts, in which no event loop runs but the caller's own `asyncio.run`s.

    Raises UserError, TransientError.
    """
    for address in trusted:
        if not ADDRESS.fullmatch(address):
            raise UserError(f'--trust "{address}" is no address: it is 0x and 40 hex digits')
    environment = known(place)
    signers = _signers(environment, is_kept=environment is None and not place.rpc_url)
    spec, credentials = _store(environment, place, store)
    opened, why = _opened(spec, credentials)
    with opened_chain(place, environment) as chain:
        yield Evidence(
            chain=chain,
            publishers=frozenset({*signers, *trusted}),
            store=opened,
            no_store=why,
        )


def _signers(known: KnownEnvironment | None, is_kept: bool) -> frozenset[str]:
    """Whom this place itself names: the key of the workdir's chain, or the environment's."""
    if known is None:
        return frozenset({str(account_of(SIGNER_KEY).address)} if is_kept else ())
    chain = known.environment.spec.chain
    said = {known.environment.status.signer}
    if chain and chain.remote_signer:
        said.add(chain.remote_signer.address)
    key = known.secret(chain.signer_secret if chain else None)
    if key and chain and chain.signer_password_secret is None:
        said.add(str(account_of(key).address))
    return frozenset(said - {""})


def _store(
    known: KnownEnvironment | None, place: ChainPlace, wish: StoreWish
) -> tuple[StoreSpec | None, dict[str, str]]:
    if wish.url:
        named = StoreSpec(url=wish.url, endpoint=wish.endpoint, region=wish.region)
        return named, own_credentials()
    if known is not None:
        return known.environment.spec.store, known.store_credentials()
    has_one = not place.rpc_url and (place.workdir / "store").is_dir()
    return (StoreSpec(url=store_url(place.workdir)) if has_one else None), {}


def _opened(spec: StoreSpec | None, credentials: dict[str, str]) -> tuple[ResultStore | None, str]:
    if spec is None:
        return None, "no store is named (--store)"
    if spec.url.startswith("s3:") and not credentials:
        return None, (
            f"no credentials for {spec.url} (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
        )
    if spec.url.startswith("file:") and not Path(urlsplit(spec.url).path).is_dir():
        return None, f"{spec.url} is not on this machine"
    return open_results(spec, credentials), ""
