"""Where the files of a plan come from: the store, the web, a provider, or the private folder.

What is private is read here and goes no further than the request that needs it.
"""

from __future__ import annotations

from pathlib import Path

import aiohttp
import msgspec
from obstore.store import ObjectStore

from jobkit.errors import ObjectMissing, UserFault, WorldFault
from jobkit.plan import Bought, StageAlgorithm, StageInput, StagePlan
from jobkit.provider import Provider
from jobkit.provider_access import ACCESS_FILE, ProviderAccess
from jobkit.sources import (
    Resolved,
    Web,
    resolve_asset,
    resolve_bought,
    resolve_upload,
    resolve_uri,
)

ALGORITHM_FILE = "algorithm"  # Ocean's name for the code; further files are called 1, 2, …


class Private:
    """The files that the step alone was given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes:
        """Raises WorldFault where it isn't there."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            message = f"the private file {name} can't be read: {error.strerror}"
            raise WorldFault("PrivateFileMissing", message) from error

    def text(self, name: str) -> str:
        """The same as text, empty for no name. Raises UserFault."""
        try:
            return self.read(name).decode().strip() if name else ""
        except UnicodeDecodeError as error:
            message = f"the Secret's value for {name} isn't UTF-8; write it as text"
            raise UserFault("SecretInvalid", message) from error


class Origins:
    """Finds the files of each input, and of the algorithm."""

    def __init__(
        self, plan: StagePlan, store: ObjectStore, web: Web, to_provider: aiohttp.ClientSession
    ) -> None:
        self._store, self._web, self._to_provider = store, web, to_provider
        self._private = Private(Path(plan.private_dir))
        self._providers: dict[str, Provider] = {}

    async def of_input(self, wanted: StageInput) -> Resolved:
        """Raises Fault."""
        if wanted.bought:
            user_data = self._private.text(wanted.bought.user_data_file)
            return await resolve_bought(self._provider(wanted.bought), wanted, user_data)
        if wanted.uri_file:
            return await resolve_uri(self._web, wanted, self._hidden_uri(wanted))
        if wanted.uri:
            return await resolve_uri(self._web, wanted)
        return await self._of_store(wanted)

    async def of_algorithm(self, wanted: StageAlgorithm) -> Resolved | bytes:
        """Files to bring, the first of them called `algorithm`; or the code itself. Raises
        Fault."""
        if wanted.code_file:
            return self._private.read(wanted.code_file)
        asked = StageInput(
            name=ALGORITHM_FILE, kind="file", uri=wanted.uri, bought=wanted.bought, numbered=True
        )
        found = await self.of_input(asked)
        if not found.files:
            raise UserFault("InputNotFound", f"{wanted.did} has no file")
        found.files[0].name = ALGORITHM_FILE
        return found

    def _hidden_uri(self, wanted: StageInput) -> str:
        uri = self._private.text(wanted.uri_file)
        if not uri:
            message = f"input {wanted.name}: the Secret's value is empty; put a URI into it"
            raise UserFault("SecretInvalid", message)
        return uri

    def _provider(self, bought: Bought) -> Provider:
        """One for all, so that its nonces rise."""
        if bought.url not in self._providers:
            access = self._access()
            retry = self._web.retry
            self._providers[bought.url] = Provider(self._to_provider, bought.url, access, retry)
        return self._providers[bought.url]

    def _access(self) -> ProviderAccess:
        try:
            return msgspec.json.decode(self._private.read(ACCESS_FILE), type=ProviderAccess)
        except msgspec.MsgspecError as error:
            raise WorldFault("PrivateFileMissing", f"{ACCESS_FILE} is malformed") from error

    async def _of_store(self, wanted: StageInput) -> Resolved:
        try:
            resolver = resolve_asset if wanted.asset else resolve_upload
            return await resolver(self._store, wanted)
        except ObjectMissing as error:
            message = (
                f"input {wanted.name}: the store has no {error.key}; upload it, or correct its name"
            )
            raise UserFault("InputNotFound", message) from error
