"""The algorithm that a workflow names: bought by its DID, or code that came with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from posthuman.api.job import Algorithm, Container, OrderRef, RawAlgorithm
from posthuman.api.meta import SecretKeyRef
from posthuman.errors import UserError
from posthuman.gateway.ocean.builtins import builtin_of
from posthuman.gateway.ocean.fields import mapping, secret_text, words

SECRET_KEY = "algorithm"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MAX_RAW_BYTES = 768 * 1024  # a Secret holds 1 MiB of everything


class AlgorithmAsked(msgspec.Struct, frozen=True, kw_only=True):
    """`id`: as the provider named it; `secret`: content by key."""

    algorithm: Algorithm
    id: str
    secret: Mapping[str, str] = {}


def algorithm_of(asked: Mapping[str, Any], secret_name: str) -> AlgorithmAsked:
    """Raises UserError."""
    container = _container(asked.get("container"))
    if builtin := builtin_of(container.entrypoint):
        named = words(asked.get("id"), "algorithm.id")
        return AlgorithmAsked(algorithm=Algorithm(builtin=builtin), id=named)
    did = words(asked.get("id"), "algorithm.id")
    if asked.get("remote") is not None:
        return _bought(mapping(asked["remote"], "algorithm.remote"), asked, container, secret_name)
    code = words(asked.get("rawcode"), "algorithm.rawcode")
    url = words(asked.get("url"), "algorithm.url")
    if len(code.encode()) > MAX_RAW_BYTES:
        raise UserError(
            f"`algorithm.rawcode` has more than {MAX_RAW_BYTES // 1024} KiB; publish the algorithm "
            "and name it by its DID"
        )
    if not code:
        raw = RawAlgorithm(uri=_open_url(url))
        return AlgorithmAsked(algorithm=Algorithm(raw=raw, container=container), id=did)
    raw = RawAlgorithm(secret_ref=SecretKeyRef(name=secret_name, key=SECRET_KEY))
    algorithm = Algorithm(raw=raw, container=container)
    return AlgorithmAsked(algorithm=algorithm, id=did, secret={SECRET_KEY: code})


def _open_url(url: str) -> str:
    """One that gives nothing away: it stands in the job's spec."""
    if not url:
        raise UserError(
            "`algorithm` has neither `remote` (of a DID) nor `rawcode` nor `url`: there is nothing "
            "to run"
        )
    parts = urlsplit(url)
    if parts.query or parts.username or parts.password:
        raise UserError(
            "`algorithm.url` holds a query or a password, which others could read; send the code "
            "as `rawcode`, or publish the algorithm and name its DID"
        )
    return url


def _bought(
    remote: Mapping[str, Any], asked: Mapping[str, Any], container: Container, secret_name: str
) -> AlgorithmAsked:
    did = words(asked.get("id"), "algorithm.id")
    user_data = secret_text(remote.get("userData", remote.get("userdata")))
    user_data = user_data or secret_text(asked.get("algouserdata"))
    algorithm = Algorithm(
        did=did,
        container=container,
        order=OrderRef(
            tx_id=words(remote.get("txId"), "algorithm.remote.txId"),
            service_id=words(remote.get("serviceId"), "algorithm.remote.serviceId"),
        ),
        user_data_secret_ref=(
            SecretKeyRef(name=secret_name, key=SECRET_KEY) if user_data else None
        ),
    )
    secret = {SECRET_KEY: user_data} if user_data else {}
    return AlgorithmAsked(algorithm=algorithm, id=did, secret=secret)


def _container(value: object) -> Container:
    """`checksum` names the image for good; a tag may move."""
    asked = mapping(value, "algorithm.container")
    image, tag = (words(asked.get(key), f"algorithm.container.{key}") for key in ("image", "tag"))
    entrypoint = words(asked.get("entrypoint"), "algorithm.container.entrypoint")
    checksum = words(asked.get("checksum"), "algorithm.container.checksum")
    if not image or not entrypoint:
        raise UserError("`algorithm.container` needs an image and an entrypoint")
    if checksum and not DIGEST.fullmatch(checksum):
        raise UserError(
            "`algorithm.container.checksum` must be sha256: and the 64 hex digits of the image's "
            "digest"
        )
    return Container(
        image=f"{image}:{tag}" if tag else image, digest=checksum, entrypoint=entrypoint
    )
