"""What an NFT says of itself, for good: its tokenURI, set at creation.

A data URI (RFC 2397) of RFC 8785 JSON, in clear: `name` as ERC-721 has it, then publicationId,
parents and manifestDigest. JSON's own punctuation stays as it is, so that a block explorer shows
something readable; all else that a URI can't carry is percent-encoded.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

import msgspec
import rfc8785

from jobkit.nesting import is_shallow
from posthuman.chain import Publication

_PREFIX = "data:application/json,"
_READABLE = '{}[]",:/'
NO_PUBLICATION = Publication(publication_id="", parents=(), manifest_digest="")


def encode_token_uri(publication: Publication, name: str) -> str:
    """The tokenURI of a new NFT."""
    content = {"name": name, **msgspec.to_builtins(publication)}
    return _PREFIX + quote(rfc8785.dumps(content), safe=_READABLE)


def decode_token_uri(token_uri: str) -> Publication:
    """`NO_PUBLICATION` for a tokenURI that isn't one of ours: anybody may create NFTs."""
    if not token_uri.startswith(_PREFIX):
        return NO_PUBLICATION
    text = unquote(token_uri.removeprefix(_PREFIX))
    if not is_shallow(text):
        return NO_PUBLICATION
    try:
        return msgspec.json.decode(text, type=Publication)
    except msgspec.DecodeError:
        return NO_PUBLICATION
