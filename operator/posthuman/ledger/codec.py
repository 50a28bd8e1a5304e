"""How a chain's words are read: a text that is no UTF-8 is a text all the same.

Anybody may make an NFT through Ocean's factory, under a name of any bytes. web3 refuses to decode
such an event, and then nothing behind it could be read any more, by anybody. Nor may a name give a
terminal orders: what a token calls itself stands in the sentence that tells a buyer its price.
"""

from __future__ import annotations

from eth_abi.codec import ABICodec
from eth_abi.decoding import StringDecoder
from web3._utils.abi import build_strict_registry  # web3's own codec is made from it

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_ORDERS = (range(0x20), range(0x7F, 0xA0), range(0x202A, 0x202F), range(0x2066, 0x206A))
NO_ORDERS = {code: UNKNOWN for codes in _ORDERS for code in codes}
"""For str.translate: control characters, and those that turn the direction of writing."""


class ForgivingText(StringDecoder):
    """Puts U+FFFD for what can't be decoded, or must not be printed."""

    @staticmethod
    def decoder_fn(data: bytes, handle_string_errors: str = "replace") -> str:
        """See eth_abi; whatever it is asked for, nothing is refused."""
        return data.decode(errors="replace").translate(NO_ORDERS)


def forgiving_codec() -> ABICodec:
    """web3's own, but for texts."""
    registry = build_strict_registry()
    registry.unregister_decoder("string")
    registry.register_decoder("string", ForgivingText, label="string")
    return ABICodec(registry)
