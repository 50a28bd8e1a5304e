"""Who we are at a gateway: a Kubernetes token, or a wallet's key, which stays in this process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from posthuman.errors import UserError
from posthuman.gateway.people.wallet_text import (
    PASS_SECONDS,
    Asked,
    Proof,
    header_of,
    pass_text,
    request_text,
)

PASS_MARGIN_SECONDS = 300  # clocks differ, and a pass is renewed before it ends


class Credentials(Protocol):
    """Makes the Authorization header of a request."""

    def header(self, asked: Asked) -> str: ...


class BearerToken:
    """Of a person or a service account: `kubectl create token NAME`."""

    def __init__(self, token: str) -> None:
        self._token = token.strip()

    @classmethod
    def read(cls, path: Path) -> BearerToken:
        """From a file. Raises UserError."""
        return cls(_text_of(path))

    def header(self, asked: Asked) -> str:
        """The same for every request."""
        return f"Bearer {self._token}"


class WalletKey:
    """Signs each change, and for reads one pass an hour."""

    def __init__(self, private_key: str) -> None:
        """64 hex digits, with or without 0x. Raises UserError."""
        try:
            self._account: LocalAccount = Account.from_key(private_key.strip())
        except ValueError as error:
            raise UserError(
                "the wallet's key isn't one; write its 64 hex digits into the file, nothing else"
            ) from error
        self._passes: dict[str, tuple[int, str]] = {}  # by host: until when, and the header

    @classmethod
    def read(cls, path: Path) -> WalletKey:
        """From a file that others can't read. Raises UserError."""
        return cls(_text_of(path))

    @property
    def address(self) -> str:
        """Checksummed: the owner of what is made with this key."""
        return str(self._account.address)

    def header(self, asked: Asked) -> str:
        """A pass for GET, else a signature of this request alone."""
        if asked.method == "GET":
            return self._pass(asked.host)
        nonce = time.time_ns()
        signature = self._sign(request_text(asked, nonce))
        return header_of(Proof(address=self.address, signature=signature, nonce=nonce))

    def _pass(self, host: str) -> str:
        now = int(time.time())
        until, header = self._passes.get(host, (0, ""))
        if until < now + PASS_MARGIN_SECONDS:
            until = now + int(PASS_SECONDS) - PASS_MARGIN_SECONDS
            signature = self._sign(pass_text(host, until))
            header = header_of(Proof(address=self.address, signature=signature, until=until))
            self._passes[host] = (until, header)
        return header

    def _sign(self, text: str) -> bytes:
        return bytes(self._account.sign_message(encode_defunct(text=text)).signature)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read as a token or key: {error}") from error
