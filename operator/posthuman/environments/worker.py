"""What one worker pod of a job has. Pure."""

from __future__ import annotations

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.quantities import parse_bytes, parse_cpu_millis


def processes_per_node(job: ComputeJob) -> int:
    """As asked for; else one a GPU; else one."""
    return job.spec.processes_per_node or job.spec.gpus_per_node or 1


def worker_cpu_millis(job: ComputeJob, environment: ComputeEnvironment) -> int:
    """As asked for; else its share of the node."""
    if job.spec.resources.cpu:
        return parse_cpu_millis(job.spec.resources.cpu)
    return int(parse_cpu_millis(environment.spec.hardware.cpu_per_node) * _share(job, environment))


def worker_memory_bytes(job: ComputeJob, environment: ComputeEnvironment) -> int:
    """As asked for; else its share of the node."""
    if job.spec.resources.memory:
        return parse_bytes(job.spec.resources.memory)
    return int(parse_bytes(environment.spec.hardware.memory_per_node) * _share(job, environment))


def _share(job: ComputeJob, environment: ComputeEnvironment) -> float:
    """Of a node: as large as that of its GPUs."""
    there, asked = environment.spec.hardware.gpus_per_node, job.spec.gpus_per_node
    return asked / there if there and asked else 1.0
