"""Whether the models of a job can do what is asked, and fit: as far as their manifests tell. Pure.

The stage step asks the same of the files, before a GPU is taken (jobkit/preflight.py).
"""

from __future__ import annotations

from algorithms.shared.preflight import facts
from algorithms.shared.preflight.gpus import gpu_memory_bytes
from algorithms.shared.preflight.review import review, review_new
from algorithms.shared.preflight.work import Work
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.quantities import parse_bytes
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal, Verdict
from posthuman.environments.worker import processes_per_node, worker_memory_bytes


def review_models(request: Request) -> Verdict:
    """The first model that can't do it, or not here."""
    for name, found in _verdicts(request).items():
        if found.reason:
            where = f'input "{name}": ' if name else ""
            return Refusal(found.reason, where + found.message)
    return None


def estimate_of(request: Request) -> str:
    """What the job is expected to take, a sentence for each model that is known, but no sentence
    twice; may be empty."""
    notes = (found.note for found in _verdicts(request).values() if found.note)
    return "; ".join(dict.fromkeys(notes))


def hardware_of(job: ComputeJob, environment: ComputeEnvironment) -> facts.Hardware:
    """What the job gets."""
    hardware = environment.spec.hardware
    said = parse_bytes(hardware.gpu_memory) if hardware.gpu_memory else 0
    return facts.Hardware(
        nodes=job.spec.nodes,
        gpus_per_node=job.spec.gpus_per_node,
        processes_per_node=processes_per_node(job),
        gpu_memory_bytes=said or gpu_memory_bytes(hardware.gpu_type),
        node_memory_bytes=worker_memory_bytes(job, environment),
    )


def _verdicts(request: Request) -> dict[str, facts.Verdict]:
    """By the input's name; of a model that is yet to be made, by none."""
    job, builtin = request.job, request.job.spec.algorithm.builtin
    if builtin is None:
        return {}
    work = Work(builtin.name, job.spec.parameters)
    hardware = hardware_of(job, request.environment)
    allowed = request.environment.spec.policy.allow_remote_code
    made = {"": review_new(work, hardware)}
    return made | {
        name: review(
            work,
            facts.ModelFacts(model.model_type, model.parameter_count, model.dtype),
            hardware,
            allowed,
        )
        for name, model in request.models.items()
    }
