"""Opens a keystore file: Web3 Secret Storage, version 3, as geth, clef and ethers write it.

https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage/
"""

from __future__ import annotations

import json
from typing import Any

from eth_account import Account

from posthuman.errors import UserError

KEY_BYTES = 32
_FAULTS = (ValueError, TypeError, KeyError, NotImplementedError)


def is_keystore(secret: bytes) -> bool:
    """Whether it looks like one; a bare key, whose 32 bytes may be any, never does."""
    return len(secret) != KEY_BYTES and secret.lstrip().startswith(b"{")


def opened(keystore: bytes, password: bytes) -> bytes:
    """The private key. Slow by design: a second, and up to 256 MiB.

    Raises UserError: SignerKeyInvalid, SignerPasswordWrong.
    """
    content = _content(keystore)
    try:
        return bytes(Account.decrypt(content, password.decode().rstrip("\r\n")))
    except _FAULTS as error:
        raise _refusal(error) from None  # the cause may quote the file


def _content(keystore: bytes) -> dict[str, Any]:
    try:
        found = json.loads(keystore)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("version") != 3:
        raise _no_keystore()
    return found


def _refusal(error: Exception) -> UserError:
    if "MAC mismatch" not in str(error):
        return _no_keystore()
    return UserError(
        "the password doesn't open the signer's keystore file: correct the Secret that "
        "spec.chain.signerPasswordSecret names",
        "SignerPasswordWrong",
    )


def _no_keystore() -> UserError:
    return UserError(
        "the signer's Secret holds no keystore file (Web3 Secret Storage, version 3), though "
        "spec.chain.signerPasswordSecret names a password for one: put the file there, or remove "
        "the password",
        "SignerKeyInvalid",
    )
