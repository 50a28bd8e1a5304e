"""What trust names of an image: the program, not the image alone. Pure."""

from __future__ import annotations

import hashlib

import rfc8785

from posthuman.api.job import ImageAlgorithm


def program_digest(image: ImageAlgorithm) -> str:
    """sha256 of [image digest, entrypoint, args] as RFC 8785 JSON; empty without an image digest.
    The image alone would be no program: with an entrypoint of one's own any image copies weights.
    """
    named = [image.digest, list(image.entrypoint), list(image.args)]
    return "sha256:" + hashlib.sha256(rfc8785.dumps(named)).hexdigest() if image.digest else ""
