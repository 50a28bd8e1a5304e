"""May this job run in this environment? Pure; each refusal is a sentence that says what to do.

What only the world can tell (a name that resolves to a private address, a file that isn't there) is
checked by the stage step; everything the manifest alone tells is checked here, before any pod.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, JobInput
from posthuman.api.quantities import parse_bytes, parse_cpu_millis, parse_duration_seconds
from posthuman.environments.catalogue import Catalogue
from posthuman.environments.verdict import Refusal, Verdict, Waiting


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A job with all that its acceptance rests on. `assets`: by input name."""

    job: ComputeJob
    environment: ComputeEnvironment
    assets: Mapping[str, ModelAsset | None]
    catalogue: Catalogue
    allow_files: bool = False  # on a laptop `file:` is allowed below the manifest's folder


def review(request: Request) -> Verdict:
    """The first refusal; else the first reason to wait; else None."""
    verdicts = [verdict for rule in RULES if (verdict := rule(request)) is not None]
    refusals = [verdict for verdict in verdicts if isinstance(verdict, Refusal)]
    return next(iter([*refusals, *verdicts]), None)


def unknown_environment(name: str, known: Sequence[str]) -> Waiting:
    """The job names an environment that doesn't exist (yet)."""
    offer = f"this cluster has: {', '.join(known)}" if known else "this cluster has none yet"
    return Waiting(
        "EnvironmentNotFound",
        f'there is no ComputeEnvironment "{name}"; {offer}. '
        "Delete the job and name one of those, or ask the cluster's admin for it",
    )


def _tenant(request: Request) -> Verdict:
    tenants = request.environment.spec.policy.tenants
    if not tenants:
        return None
    namespace = request.job.metadata.namespace
    tenant = next((found for found in tenants if found.namespace == namespace), None)
    if tenant is None:
        return Refusal(
            "NamespaceNotAllowed",
            f'namespace "{namespace}" is no tenant of environment '
            f'"{request.environment.metadata.name}"; ask its admin to add it to policy.tenants',
        )
    owners = {owner.lower() for owner in tenant.owners}
    if owners and request.job.spec.owner.lower() not in owners:
        return Refusal(
            "OwnerNotAllowed",
            f'namespace "{namespace}" may not act for {request.job.spec.owner}; '
            "use an address of yours, or ask the environment's admin",
        )
    return None


def _timeout(request: Request) -> Verdict:
    limit = request.environment.spec.limits.max_duration
    timeout = request.job.spec.timeout
    if timeout and parse_duration_seconds(timeout) > parse_duration_seconds(limit):
        return Refusal(
            "TimeoutAboveLimit",
            f"spec.timeout {timeout} is above the environment's limit of {limit}; "
            f"ask for at most {limit}",
        )
    return None


def _nodes(request: Request) -> Verdict:
    spec, hardware = request.job.spec, request.environment.spec.hardware
    if spec.nodes > hardware.max_nodes:
        return Refusal(
            "TooManyNodes",
            f"spec.nodes {spec.nodes} is more than the environment's {hardware.max_nodes}",
        )
    if spec.nodes > 1 and request.environment.spec.workspace.access_mode != "ReadWriteMany":
        return Refusal(
            "WorkspaceNotShared",
            f"spec.nodes {spec.nodes} needs a workspace with accessMode ReadWriteMany, and this "
            "environment's has ReadWriteOnce; ask for one node, or the admin for such a volume",
        )
    if spec.gpus_per_node > hardware.gpus_per_node:
        return Refusal(
            "TooManyGPUs",
            f"spec.gpusPerNode {spec.gpus_per_node} is more than a node's {hardware.gpus_per_node}",
        )
    return None


def _resources(request: Request) -> Verdict:
    asked, hardware = request.job.spec.resources, request.environment.spec.hardware
    if asked.cpu and parse_cpu_millis(asked.cpu) > parse_cpu_millis(hardware.cpu_per_node):
        return Refusal(
            "TooMuchCPU", f"resources.cpu {asked.cpu} is more than a node's {hardware.cpu_per_node}"
        )
    if asked.memory and parse_bytes(asked.memory) > parse_bytes(hardware.memory_per_node):
        return Refusal(
            "TooMuchMemory",
            f"resources.memory {asked.memory} is more than a node's {hardware.memory_per_node}",
        )
    return None


def _builtin(request: Request) -> Verdict:
    builtin = request.job.spec.algorithm.builtin
    if builtin is None:
        return None
    facts = request.catalogue.get(builtin.name)
    if facts is None:
        return Refusal("UnknownAlgorithm", _unknown_algorithm(builtin.name, request.catalogue))
    if builtin.version not in ("", facts.version):
        return Refusal(
            "UnknownAlgorithmVersion",
            f"algorithm {facts.name} is installed in version {facts.version}, not "
            f"{builtin.version}; leave the version out, or ask the admin for it",
        )
    missing = sorted(set(facts.inputs) - {found.name for found in request.job.spec.inputs})
    if missing:
        return Refusal(
            "MissingInput",
            f'algorithm {facts.name} needs an input named "{missing[0]}"; add it to spec.inputs',
        )
    return None


def _unknown_algorithm(name: str, catalogue: Catalogue) -> str:
    near = difflib.get_close_matches(name, catalogue, n=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return f'there is no built-in algorithm "{name}"; {hint}There are: {", ".join(catalogue)}'


def _image(request: Request) -> Verdict:
    image = request.job.spec.algorithm.image
    if image is None:
        return None
    policy = request.environment.spec.policy
    if not any(image.reference.startswith(prefix) for prefix in policy.allowed_images):
        return Refusal(
            "ImageNotAllowed",
            f'image "{image.reference}" is not in the environment\'s policy.allowedImages '
            f"({', '.join(policy.allowed_images) or 'none'}); use one of those, or a built-in",
        )
    custody = [found.name for found in request.job.spec.inputs if found.asset_ref]
    if custody and image.digest not in policy.trusted_algorithms:
        return Refusal(
            "AlgorithmNotTrusted",
            f'image "{image.reference}" may not run on the asset of input "{custody[0]}": only '
            "built-in algorithms and the digests of policy.trustedAlgorithms may",
        )
    return None


def _inputs(request: Request) -> Verdict:
    verdicts = [_input(request, found) for found in request.job.spec.inputs]
    refusals = [found for found in verdicts if isinstance(found, Refusal)]
    return next(iter([*refusals, *(found for found in verdicts if found)]), None)


def _input(request: Request, found: JobInput) -> Verdict:
    if found.asset_ref:
        return _asset(request, found)
    if found.uri:
        return _uri(request, found)
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
    name = f"{reference.namespace}/{reference.name}" if reference else ""
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


def _uri(request: Request, found: JobInput) -> Verdict:
    parts = urlsplit(found.uri)
    say = f'input "{found.name}": '
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


FILE_ADVICE = "file: works only with `posthuman run` on a laptop; use https:, or `posthuman upload`"
UPLOAD_ADVICE = "Bring data of your own with `posthuman upload`; use an asset by its assetRef"


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


def _publish(request: Request) -> Verdict:
    if request.job.spec.publish and request.environment.spec.chain is None:
        return Refusal(
            "NoChain",
            "spec.publish needs a chain, and this environment has none; "
            "leave publish out, or choose an environment with spec.chain",
        )
    return None


RULES: tuple[Callable[[Request], Verdict], ...] = (
    _tenant,
    _timeout,
    _nodes,
    _resources,
    _builtin,
    _image,
    _inputs,
    _publish,
)
