"""May this job run in this environment? Pure; each refusal is a sentence that says what to do.

What only the world can tell (a name that resolves to a private address, a file that isn't there) is
checked by the stage step; everything the manifest alone tells is checked here, before any pod.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from posthuman.api.conditions import find_condition, is_true
from posthuman.api.quantities import parse_bytes, parse_cpu_millis, parse_duration_seconds
from posthuman.environments.catalogue import Catalogue
from posthuman.environments.input_policy import review_inputs
from posthuman.environments.request import Request
from posthuman.environments.tenants import review_tenant
from posthuman.environments.verdict import Refusal, Verdict, Waiting


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


def _ready(request: Request) -> Verdict:
    """An environment that lacks something takes no new jobs until it has it."""
    conditions = request.environment.status.conditions
    if is_true(conditions, "Ready"):
        return None
    why = find_condition(conditions, "Ready")
    message = why.message if why else "it has not been looked at yet"
    return Waiting(
        "EnvironmentNotReady",
        f'environment "{request.environment.metadata.name}" is not ready: {message}',
    )


def _tenant(request: Request) -> Verdict:
    job = request.job
    return review_tenant(request.environment, job.metadata.namespace, job.spec.owner)


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


def _publish(request: Request) -> Verdict:
    if request.job.spec.publish and request.environment.spec.chain is None:
        return Refusal(
            "NoChain",
            "spec.publish needs a chain, and this environment has none; "
            "leave publish out, or choose an environment with spec.chain",
        )
    return None


RULES: tuple[Callable[[Request], Verdict], ...] = (
    _ready,
    _tenant,
    _timeout,
    _nodes,
    _resources,
    _builtin,
    _image,
    review_inputs,
    _publish,
)
