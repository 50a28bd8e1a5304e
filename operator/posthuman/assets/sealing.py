"""A DDO as it goes on chain: encrypted by the provider that serves the asset, else in clear.

Ocean's provider encrypts with a key that only it knows, and differently each time: that is why the
bytes are made once, when the transaction is signed, and stored before they are sent. The clear text
of what is encrypted is kept in the environment's store, under the digest that goes on chain: what
the owner trusted at first can be read there when somebody wants to run a program.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from posthuman.api.environment import ChainSpec, ComputeEnvironment
from posthuman.assets.clear_ddo import clear_key
from posthuman.assets.ddo import encode_ddo, files_in, in_clear, with_files
from posthuman.chain import METADATA_ENCRYPTED, METADATA_LZMA, Metadata
from posthuman.chain_ports import Encryptor
from posthuman.errors import TransientError
from posthuman.ports import ResultStore

StoreOf = Callable[[ComputeEnvironment], Awaitable[ResultStore]]
EncryptorOf = Callable[[str], Encryptor]  # by the provider's URL


class SealingDelayed(TransientError):
    """A nonce must not wait for it."""


class Sealer:
    """Of any environment's DDOs."""

    def __init__(self, store_of: StoreOf, encryptor_of: EncryptorOf) -> None:
        self._store_of = store_of
        self._encryptor_of = encryptor_of

    async def seal(self, environment: ComputeEnvironment, ddo: Mapping[str, Any]) -> Metadata:
        """Raises SealingDelayed while the provider or the store is away, UserError where the
        provider refuses."""
        chain = environment.spec.chain
        if chain is None or not chain.provider_url:
            return in_clear(encode_ddo(with_files(ddo, {})))
        try:
            return await self._encrypted(environment, chain, ddo)
        except TransientError as error:
            raise SealingDelayed(str(error), error.reason) from error

    async def _encrypted(
        self, environment: ComputeEnvironment, chain: ChainSpec, ddo: Mapping[str, Any]
    ) -> Metadata:
        encryptor = self._encryptor_of(chain.provider_url)
        files = {
            content: await encryptor.encrypt(chain.chain_id, content)
            for content in dict.fromkeys(files_in(ddo))
        }
        text = encode_ddo(with_files(ddo, files))
        packed = lzma.compress(text, format=lzma.FORMAT_ALONE)
        encrypted = await encryptor.encrypt(chain.chain_id, packed)
        digest = hashlib.sha256(text)
        await (await self._store_of(environment)).put(clear_key(digest.hexdigest()), text)
        return Metadata(
            data=bytes.fromhex(encrypted.removeprefix("0x")),
            digest=digest.digest(),
            flags=METADATA_LZMA | METADATA_ENCRYPTED,
            decryptor_url=chain.provider_url,
        )
