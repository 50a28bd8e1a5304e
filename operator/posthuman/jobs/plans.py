"""The steps a job wants: names, plans, mounts, resources. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from jobkit.plan import (
    AlgorithmFacts,
    ExportPlan,
    LaunchPlan,
    Preflight,
    StageInput,
    StagePlan,
    Store,
    UriPolicy,
)
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, ImageAlgorithm, JobInput
from posthuman.api.quantities import parse_bytes, parse_duration_seconds
from posthuman.environments.input_policy import store_hosts
from posthuman.environments.preflight import hardware_of
from posthuman.environments.worker import (
    processes_per_node,
    worker_cpu_millis,
    worker_memory_bytes,
)
from posthuman.jobs.observed import Observed
from posthuman.jobs.sources import (
    CODE_PATH,
    brings_code,
    downloads,
    is_oceans,
    named_elsewhere,
    private_files,
    pull_secret,
    stage_algorithm,
    with_source,
    words_of,
)
from posthuman.jobs.steps import Anchor, Mount, Network, Resources, Role, Step
from posthuman.jobs.variables import variables_of
from posthuman.receipts.content import identity_of

RAW_CODE = "raw"  # the name of code that has none
JOBKIT = Resources(cpu="250m", memory="1Gi")
OCEANS_MOUNTS = (  # what else an algorithm of Ocean's finds
    Mount(folder="ddos", path="/data/ddos", read_only=True),
    Mount(folder="transformations", path="/data/transformations", read_only=True),
)
LAUNCHER_SECONDS = 5.0  # for the launcher itself, after the algorithm's grace


def base_name(job: ComputeJob) -> str:
    """The stem of all names: readable, and as unique as the job's UID.

    It begins with a letter, as a Service's name must (RFC 1035), though a job's need not.
    """
    name = job.metadata.name[:36].rstrip("-.").replace(".", "-")
    return f"{'' if name[0].isalpha() else 'j-'}{name}-{job.metadata.uid[:8]}"


def step_name(job: ComputeJob, role: Role, attempt: int) -> str:
    """`bob-trains-1a2b3c4d-run-2`."""
    return f"{base_name(job)}-{role}-{attempt}"


def anchor_of(job: ComputeJob, environment: ComputeEnvironment) -> Anchor:
    """The owner of everything the job has in the work namespace."""
    workspace = environment.spec.workspace
    return Anchor(
        namespace=environment.spec.work_namespace,
        name=base_name(job),
        job=job.metadata.key,
        job_uid=job.metadata.uid,
        workspace_size=workspace.size,
        storage_class_name=workspace.storage_class_name,
        access_mode=workspace.access_mode,
    )


def wanted_stage(seen: Observed, environment: ComputeEnvironment, attempt: int) -> Step:
    """Bring the inputs in, with a network and without a GPU."""
    job = seen.job
    inputs = tuple(_stage_input(found, seen) for found in job.spec.inputs)
    named = named_elsewhere(job)
    policy = UriPolicy(
        allowed_schemes=environment.spec.policy.allowed_uri_schemes,
        allowed_private_cidrs=environment.spec.policy.allowed_private_cidrs,
        denied_hosts=store_hosts(environment),
        file_root=seen.settings.file_root,
    )
    plan = StagePlan(
        store=_store(environment),
        inputs=inputs,
        uri_policy=policy,
        algorithm=stage_algorithm(seen),
        ddos={one.did: dict(seen.ddos.get(one.did, {})) for one in named},
        parameters=job.spec.parameters,
        allow_pickles=environment.spec.policy.allow_pickles,
        preflight=_preflight(job, environment),
    )
    return msgspec.structs.replace(
        _jobkit_step(job, environment, Role.STAGE, attempt, plan),
        private=private_files(job),
        bought=tuple(one.did for one in downloads(seen)),
    )


def _preflight(job: ComputeJob, environment: ComputeEnvironment) -> Preflight | None:
    """What the models are held against once their files are there."""
    if job.spec.algorithm.builtin is None:
        return None
    hardware = hardware_of(job, environment)
    return Preflight(
        algorithm=job.spec.algorithm.builtin.name,
        nodes=hardware.nodes,
        gpus_per_node=hardware.gpus_per_node,
        processes_per_node=hardware.processes_per_node,
        gpu_memory_bytes=hardware.gpu_memory_bytes,
        node_memory_bytes=hardware.node_memory_bytes,
        allow_remote_code=environment.spec.policy.allow_remote_code,
    )


def wanted_run(seen: Observed, environment: ComputeEnvironment, attempt: int) -> Step:
    """The algorithm, sealed."""
    job = seen.job
    builtin = job.spec.algorithm.builtin
    image = _own_image(job)
    return Step(
        name=step_name(job, Role.RUN, attempt),
        role=Role.RUN,
        attempt=attempt,
        image=_reference(image) if image else "algorithms",
        plan=_launch_plan(seen, environment, builtin.name) if builtin else None,
        command=image.entrypoint if image else (),
        args=image.args if image else (),
        resources=_worker_resources(job, environment),
        mounts=_run_mounts(job, attempt),
        network=Network.PEERS,
        environment=environment,
        nodes=job.spec.nodes,
        variables=variables_of(seen, environment, attempt),
        pull_secret=pull_secret(job),
        code=CODE_PATH if brings_code(job) else "",
    )


def _own_image(job: ComputeJob) -> ImageAlgorithm | None:
    """What isn't a built-in runs in an image of its own, its code brought by the stage step or
    not."""
    container = job.spec.algorithm.container
    if container is None:
        return job.spec.algorithm.image
    words = words_of(container.entrypoint)
    return ImageAlgorithm(reference=container.image, digest=container.digest, entrypoint=words)


def _run_mounts(job: ComputeJob, attempt: int) -> tuple[Mount, ...]:
    """Outputs are an attempt's own, so that nothing a dead one left is taken for a result; scratch
    outlives attempts and is never exported: checkpoints go there."""
    return (
        Mount(folder="inputs", path="/data/inputs", read_only=True),
        Mount(folder=outputs_folder(attempt), path="/data/outputs"),
        Mount(folder="logs", path="/data/logs"),
        Mount(folder="scratch", path="/data/scratch"),
        *(OCEANS_MOUNTS if is_oceans(job) else ()),
    )


def outputs_folder(attempt: int) -> str:
    """Of the workspace; the last attempt's is exported."""
    return f"outputs/{attempt}"


def wanted_export(
    seen: Observed,
    environment: ComputeEnvironment,
    attempt: int,
    outcome: Literal["Succeeded", "Failed", "Stopped"],
) -> Step:
    """Logs and outputs to the store, the manifest last."""
    job = seen.job
    plan = ExportPlan(
        store=_store(environment),
        destination=results_prefix(job),
        outcome=outcome,
        job=identity_of(job),
        algorithm=_algorithm_facts(seen),
        parameters=job.spec.parameters,
        input_dids={found.name: found.did for found in job.status.inputs if found.did},
        gpu_seconds=job.status.gpu_seconds,
        max_result_bytes=parse_bytes(environment.spec.limits.max_result_bytes),
        outputs_dir=f"/workspace/{outputs_folder(len(job.status.attempts))}",
    )
    return _jobkit_step(job, environment, Role.EXPORT, attempt, plan)


def results_prefix(job: ComputeJob) -> str:
    """Where in the store a job's outputs go."""
    return f"jobs/{job.metadata.uid}"


def devices(job: ComputeJob) -> int:
    """What is billed: every GPU that the job holds, used or not; processes where it holds none."""
    return job.spec.nodes * (job.spec.gpus_per_node or processes_per_node(job))


def _jobkit_step(
    job: ComputeJob,
    environment: ComputeEnvironment,
    role: Role,
    attempt: int,
    plan: StagePlan | ExportPlan,
) -> Step:
    return Step(
        name=step_name(job, role, attempt),
        role=role,
        attempt=attempt,
        image="jobkit",
        plan=plan,
        resources=JOBKIT,
        mounts=(Mount(folder="", path="/workspace", read_only=role is Role.EXPORT),),
        network=Network.OUTBOUND,
        environment=environment,
        store_credentials=True,
    )


def grace_seconds(environment: ComputeEnvironment) -> float:
    """Between a run pod's SIGTERM and its SIGKILL."""
    return parse_duration_seconds(environment.spec.limits.checkpoint_grace) + LAUNCHER_SECONDS


def _launch_plan(seen: Observed, environment: ComputeEnvironment, algorithm: str) -> LaunchPlan:
    job, facts = seen.job, seen.settings.catalogue.get(algorithm)
    folder = facts.folder if facts else algorithm  # another version may have accepted the job
    return LaunchPlan(
        command=("python", f"{seen.settings.algorithms_path}/{folder}"),
        nodes=job.spec.nodes,
        processes_per_node=processes_per_node(job),
        master_port=seen.settings.master_port,
        grace_seconds=parse_duration_seconds(environment.spec.limits.checkpoint_grace),
    )


def _stage_input(found: JobInput, seen: Observed) -> StageInput:
    inputs = seen.job.status.inputs
    record = next((record for record in inputs if record.name == found.name), None)
    plain = StageInput(
        name=found.name,
        kind=found.kind,
        asset=record.prefix if record else "",
        manifest_digest=record.manifest_digest if record else "",
        upload=found.upload,
        uri=found.uri,
        sha256=found.sha256,
    )
    return with_source(plain, found, seen)


def _algorithm_facts(seen: Observed) -> AlgorithmFacts:
    algorithm = seen.job.spec.algorithm
    if (image := _own_image(seen.job)) and brings_code(seen.job):  # the digest: once it is staged
        name = algorithm.did or RAW_CODE
        return AlgorithmFacts(name=name, did=algorithm.did, image=_reference(image))
    if algorithm.image:
        return AlgorithmFacts(name=algorithm.image.reference, digest=algorithm.image.digest)
    name = algorithm.builtin.name if algorithm.builtin else ""
    facts = seen.settings.catalogue.get(name)
    if facts is None:
        return AlgorithmFacts(name=name)
    return AlgorithmFacts(name=facts.name, version=facts.version, digest=facts.digest)


def _reference(image: ImageAlgorithm) -> str:
    return f"{image.reference}@{image.digest}" if image.digest else image.reference


def _store(environment: ComputeEnvironment) -> Store:
    store = environment.spec.store
    return Store(url=store.url, endpoint=store.endpoint, region=store.region)


def _worker_resources(job: ComputeJob, environment: ComputeEnvironment) -> Resources:
    hardware, asked = environment.spec.hardware, job.spec.resources
    cpu_millis = worker_cpu_millis(job, environment)
    memory_mebibytes = worker_memory_bytes(job, environment) // 1024**2
    return Resources(
        cpu=asked.cpu or f"{cpu_millis}m",
        memory=asked.memory or f"{memory_mebibytes}Mi",
        gpus=job.spec.gpus_per_node,
        gpu_resource=hardware.gpu_resource,
        shared_memory=hardware.shared_memory,
    )
