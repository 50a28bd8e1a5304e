"""How a chain's words are read: a text that is no UTF-8 is a text all the same.

Anybody may make an NFT through Ocean's factory, under a name of any bytes. web3 refuses to decode
such an event, and then nothing behind it could be read any more, by anybody.
"""

from __future__ import annotations

from typing import Any

from eth_abi.codec import ABICodec
from eth_abi.decoding import StringDecoder
from web3._utils.abi import build_strict_registry  # web3's own codec is made from it


class ForgivingText(StringDecoder):
    """Puts U+FFFD for what can't be decoded."""

    @classmethod
    def from_type_str(cls, *_: Any) -> ForgivingText:
        """See eth_abi."""
        return cls("replace")


def forgiving_codec() -> ABICodec:
    """web3's own, but for texts."""
    registry = build_strict_registry()
    registry.unregister_decoder("string")
    registry.register_decoder("string", ForgivingText, label="string")
    return ABICodec(registry)
