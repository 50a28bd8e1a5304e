"""May this job run in this environment? Pure; each refusal is a sentence that says what to do.

What only the world can tell (a name that resolves to a private address, a file that isn't there) is
checked by the stage step; everything the manifest alone tells is checked here, before any pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from posthuman.api.conditions import find_condition, is_true
from posthuman.api.quantities import parse_bytes, parse_cpu_millis, parse_duration_seconds
from posthuman.assets.offer import review_offer
from posthuman.assets.trust import review_custody
from posthuman.environments.builtins import review_builtin
from posthuman.environments.images import begins_with
from posthuman.environments.input_policy import review_inputs
from posthuman.environments.orders import review_orders
from posthuman.environments.own_code import review_sources
from posthuman.environments.preflight import review_models
from posthuman.environments.program import program_digest
from posthuman.environments.request import Request
from posthuman.environments.tenants import review_tenant
from posthuman.environments.verdict import Refusal, Verdict, Waiting

MAX_PARAMETER_DEPTH = 64
MAX_PARAMETER_BYTES = 512 * 1024


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
    if request.environment.metadata.deletion_timestamp:
        return Refusal(
            "EnvironmentGoing",
            f'environment "{request.environment.metadata.name}" is being deleted and takes no more '
            "jobs; choose another one",
        )
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
    nothing = [
        name
        for name, text, parse in (
            ("cpu", asked.cpu, parse_cpu_millis),
            ("memory", asked.memory, parse_bytes),
        )
        if text and parse(text) == 0
    ]
    if nothing:  # to Kubernetes a limit of 0 is no limit
        return Refusal(
            "NoResources",
            f"resources.{nothing[0]} must be more than 0; leave it out for all of a node's",
        )
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
    return review_builtin(request.job, request.catalogue)


def _image(request: Request) -> Verdict:
    image = request.job.spec.algorithm.image
    if image is None:
        return None
    policy = request.environment.spec.policy
    if not any(begins_with(image.reference, prefix) for prefix in policy.allowed_images):
        return Refusal(
            "ImageNotAllowed",
            f'image "{image.reference}" is not in the environment\'s policy.allowedImages '
            f"({', '.join(policy.allowed_images) or 'none'}); use one of those, or a built-in",
        )
    inputs = request.job.spec.inputs
    custody = [found.name for found in inputs if found.asset_ref or request.assets.get(found.name)]
    program = program_digest(image)
    if custody and program not in policy.trusted_algorithms:
        return Refusal(
            "AlgorithmNotTrusted",
            f'image "{image.reference}" may not run this program on the asset of input '
            f'"{custody[0]}": only built-in algorithms and those of policy.trustedAlgorithms may. '
            + (
                f"Ask the admin to trust {program}, or use a built-in"
                if image.digest
                else "Name the image by its digest too, or use a built-in"
            ),
        )
    return None


def _custody(request: Request) -> Verdict:
    return review_custody(request.job, request.environment, request.assets, request.custody)


def _parameters(request: Request) -> Verdict:
    """An API server admits 10,000 levels, and more bytes than the ConfigMap of a plan may have."""
    if len(msgspec.json.encode(request.job.spec.parameters)) > MAX_PARAMETER_BYTES:
        return Refusal(
            "ParametersTooLarge",
            f"spec.parameters has more than {MAX_PARAMETER_BYTES // 1024} KiB; bring large data in "
            "as an input, with `posthuman upload`",
        )
    level: list[object] = [request.job.spec.parameters]
    for _ in range(MAX_PARAMETER_DEPTH):
        level = [inner for found in level for inner in _children(found)]
    if not level:
        return None
    return Refusal(
        "ParametersTooDeep",
        f"spec.parameters is nested more than {MAX_PARAMETER_DEPTH} levels deep; flatten it",
    )


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _publish(request: Request) -> Verdict:
    wanted, chain = request.job.spec.publish, request.environment.spec.chain
    if wanted is None:
        return None
    if chain is None:
        return Refusal(
            "NoChain",
            "spec.publish needs a chain, and this environment has none; "
            "leave publish out, or choose an environment with spec.chain",
        )
    problem = review_offer(wanted.pricing, wanted.services, chain, "spec.publish")
    return Refusal(problem.reason, problem.message) if problem else None


RULES: tuple[Callable[[Request], Verdict], ...] = (
    _ready,
    _tenant,
    _timeout,
    _nodes,
    _resources,
    _parameters,
    _builtin,
    _image,
    review_inputs,
    review_sources,
    review_orders,
    _custody,
    review_models,
    _publish,
)
