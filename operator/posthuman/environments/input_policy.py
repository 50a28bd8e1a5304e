"""Where a job's inputs may come from. Pure; part of policy.py.

A buyer's URI never reaches the environment's own store or network: that is refused here where the
manifest tells, and by the stage step where only the resolved address does.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import JobInput
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal, Verdict, Waiting

FILE_ADVICE = "file: works only with `posthuman run` on a laptop; use https:, or `posthuman upload`"
UPLOAD_ADVICE = "Bring data of your own with `posthuman upload`; use an asset by its assetRef"


def review_inputs(request: Request) -> Verdict:
    verdicts = [_input(request, found) for found in request.job.spec.inputs]
    refusals = [found for found in verdicts if isinstance(found, Refusal)]
    return next(iter([*refusals, *(found for found in verdicts if found)]), None)


def _input(request: Request, found: JobInput) -> Verdict:
    if found.asset_ref or request.assets.get(found.name):
        return _asset(request, found)
    if found.did:
        return _elsewhere(request, found)
    if found.uri:
        return review_uri(request, found)
    if found.uri_secret_ref:
        return None  # read by the stage step
    own = f"uploads/{request.job.spec.owner.lower()}/"
    if not found.upload.startswith(own):
        return Refusal(
            "UploadNotOwned",
            f'input "{found.name}": upload "{found.upload}" is not below "{own}"; '
            "`posthuman upload` prints the right path",
        )
    return None


def _asset(request: Request, found: JobInput) -> Verdict:
    reference, asset = found.asset_ref, request.assets.get(found.name)
    name = f"{reference.namespace}/{reference.name}" if reference else found.did
    if asset is None:
        return Waiting(
            "AssetNotFound",
            f'input "{found.name}": there is no ModelAsset {name}; create it, or correct the name',
        )
    if asset.spec.environment_ref.name != request.environment.metadata.name:
        return Refusal(
            "AssetElsewhere",
            f'input "{found.name}": asset {name} lives in environment '
            f'"{asset.spec.environment_ref.name}"; run the job there',
        )
    if not is_true(asset.status.conditions, "Ready"):
        return Waiting("AssetNotReady", f'input "{found.name}": asset {name} is not published yet')
    return None


def _elsewhere(request: Request, found: JobInput) -> Verdict:
    """A DID that no asset of the environment has: a provider's, where there is one (bought.py)."""
    chain = request.environment.spec.chain
    if chain and chain.provider_url:
        return None
    return Waiting(
        "AssetNotFound",
        f'input "{found.name}": no ModelAsset of this environment has the DID {found.did}, and it '
        "has no chain.providerUrl to look elsewhere; correct the DID, or publish the asset here",
    )


def review_uri(request: Request, found: JobInput) -> Verdict:
    """Of an input, or of code of one's own."""
    say = f'input "{found.name}": '
    try:
        parts = urlsplit(found.uri)
    except ValueError as error:
        return Refusal("UriRefused", say + f"{found.uri} is no URI ({error}); correct it")
    if parts.scheme == "file":
        return None if request.allow_files else Refusal("UriRefused", say + FILE_ADVICE)
    if parts.scheme in ("s3", "gs", "az"):
        return Refusal("UriRefused", say + f"{parts.scheme}: is refused. " + UPLOAD_ADVICE)
    allowed = request.environment.spec.policy.allowed_uri_schemes
    if parts.scheme not in allowed:
        return Refusal(
            "UriRefused",
            say + f'the scheme "{parts.scheme}" is not allowed here; use {", ".join(allowed)}',
        )
    if _is_store(parts.netloc, request.environment):
        return Refusal(
            "UriRefused", say + "it points into the environment's own store. " + UPLOAD_ADVICE
        )
    if _is_private(parts.hostname or "", request.environment):
        return Refusal(
            "UriRefused",
            say + f"{parts.hostname} is a private, loopback or link-local address; use a public "
            "one, or ask the admin to add it to policy.allowedPrivateCIDRs",
        )
    return None


def store_hosts(environment: ComputeEnvironment) -> tuple[str, ...]:
    """Host and host:port of the environment's store, and the virtual host of its bucket."""
    store = environment.spec.store
    bucket = urlsplit(store.url).netloc
    if not store.url.startswith("s3://"):
        return ()
    if not store.endpoint:
        return (
            "s3.amazonaws.com",
            f"{bucket}.s3.amazonaws.com",
            f"s3.{store.region}.amazonaws.com",
            f"{bucket}.s3.{store.region}.amazonaws.com",
        )
    host = urlsplit(store.endpoint).netloc
    return (host, f"{bucket}.{host}")


def _is_store(netloc: str, environment: ComputeEnvironment) -> bool:
    asked = netloc.rpartition("@")[2].lower()
    return asked in {host.lower() for host in store_hosts(environment)}


def _is_private(host: str, environment: ComputeEnvironment) -> bool:
    """Of a literal address; names are checked by the stage step, after resolution."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    networks = environment.spec.policy.allowed_private_cidrs
    if any(address in ipaddress.ip_network(cidr, strict=False) for cidr in networks):
        return False
    return not address.is_global or address.is_multicast
