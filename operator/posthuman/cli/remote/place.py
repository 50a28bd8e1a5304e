"""Which gateway is meant, and as whom: options that all its commands have.

Tokens and keys come from files: what stands in a command line is seen by every process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from posthuman.errors import UserError

if TYPE_CHECKING:  # it imports what signs, which takes a second that --help needs not
    from posthuman.client import Credentials, Gateway

GatewayUrl = Annotated[
    str,
    typer.Option("--gateway", envvar="POSTHUMAN_GATEWAY", help="URL, like https://gateway.example"),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="POSTHUMAN_TOKEN_FILE",
        help="A file with a Kubernetes token: `kubectl create token NAME`.",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        envvar="POSTHUMAN_KEY_FILE",
        help="A file with a wallet's private key; it signs here and is sent nowhere.",
    ),
]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say."""

    url: str
    token_file: Path | None = None
    key_file: Path | None = None

    def open(self) -> Gateway:
        """Raises UserError where it isn't said who asks."""
        from posthuman.client import Gateway

        return Gateway(self.url, self._credentials())

    def _credentials(self) -> Credentials:
        from posthuman.client import BearerToken, WalletKey

        if self.token_file and not self.key_file:
            return BearerToken.read(self.token_file)
        if self.key_file and not self.token_file:
            return WalletKey.read(self.key_file)
        raise UserError(
            "say who you are: either --token-file (a person of the cluster) or --key-file (a "
            "wallet); POSTHUMAN_TOKEN_FILE and POSTHUMAN_KEY_FILE do the same"
        )
