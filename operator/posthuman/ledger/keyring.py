"""The environments' keys, each opened once: opening a keystore file takes a second of hard work."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import msgspec

from posthuman.errors import UserError
from posthuman.ledger.account import account_of
from posthuman.ledger.keys import LocalKey, SigningKey
from posthuman.ledger.keystore import is_keystore, opened
from posthuman.ledger.remote import RemoteKey


class LocalMaterial(msgspec.Struct, frozen=True):
    """A bare key; or a keystore file, and the password that opens it."""

    secret: bytes
    password: bytes | None = None

    def __repr__(self) -> str:
        return "LocalMaterial(…)"


class RemoteMaterial(msgspec.Struct, frozen=True):
    """Where a key is asked to sign, and whose it is. The URL is a credential."""

    url: bytes
    address: str

    def __repr__(self) -> str:
        return f"RemoteMaterial(…, {self.address})"


KeyMaterial = LocalMaterial | RemoteMaterial


class KeyRing:
    """One key an environment, opened anew when what it is opened with has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[KeyMaterial, SigningKey | UserError]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def key(self, environment: str, material: KeyMaterial) -> SigningKey:
        """Raises UserError for what is no key; the same again, without trying again."""
        async with self._locks[environment]:
            known = self._known.get(environment)
            if known is None or known[0] != material:
                known = self._known[environment] = (material, await _tried(material))
        if isinstance(known[1], UserError):
            raise UserError(str(known[1]), known[1].reason)
        return known[1]

    async def close(self) -> None:
        """Close the connections to remote signers."""
        for _, opened_key in self._known.values():
            if not isinstance(opened_key, UserError):
                await opened_key.close()


async def _tried(material: KeyMaterial) -> SigningKey | UserError:
    try:
        return await open_key(material)
    except UserError as error:
        return error


async def open_key(material: KeyMaterial) -> SigningKey:
    """Raises UserError: SignerKeyInvalid, SignerPasswordMissing, SignerPasswordWrong."""
    if isinstance(material, RemoteMaterial):
        return RemoteKey(material.url.decode().strip(), material.address)
    if material.password is not None:
        key = await asyncio.to_thread(opened, material.secret, material.password)
        return LocalKey(account_of(key))
    if is_keystore(material.secret):
        raise UserError(
            "the signer's Secret holds a keystore file: name the Secret of its password in "
            "spec.chain.signerPasswordSecret",
            "SignerPasswordMissing",
        )
    return LocalKey(account_of(material.secret))
