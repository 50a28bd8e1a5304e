"""What a step's nodes run on this machine: jobkit's programs, as pods would run them.

Of the caller's own environment only PATH goes in, so no credential of a person reaches an
algorithm that way. (It could still read this user's files: a laptop seals nothing.)
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from jobkit.plan import (
    PLAN_ENV,
    TERMINATION_LOG_ENV,
    ExportPlan,
    LaunchPlan,
    StagePlan,
)
from posthuman.errors import UserError
from posthuman.jobs.plans import LAUNCHER_SECONDS, grace_seconds
from posthuman.jobs.steps import Role, Step, private_name
from posthuman.local.folders import Folders, folders_of, relocate, with_volume
from posthuman.local.layout import JobLayout
from posthuman.local.running import Program

JOBKIT_ROOT = Path(__file__).parents[2]  # holds jobkit
ALGORITHMS_ROOT = JOBKIT_ROOT.parent  # holds algorithms.shared.preflight, which jobkit asks
SUBCOMMANDS = {Role.STAGE: "fetch", Role.RUN: "launch", Role.EXPORT: "export"}
IMAGES = frozenset({"jobkit", "algorithms"})
LOCALHOST = "127.0.0.1"
NO_IMAGES = (
    "posthuman run can't run container images: name a built-in algorithm in "
    "spec.algorithm.builtin, or apply the job to a cluster"
)

PYTHON = re.compile(r"python(3(\.\d+)?)?")

AnyPlan = StagePlan | LaunchPlan | ExportPlan


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine offers its jobs."""

    algorithms: Path  # the folder that holds the built-in algorithms
    cores: int = os.cpu_count() or 1


def programs_of(
    step: Step, layout: JobLayout, machine: Machine, credentials: Mapping[str, str]
) -> list[Program]:
    """Write each node's plan and say what to start. Raises UserError for a container image; code
    that a job brings runs here without its image."""
    plan = _own_code_plan(step) if step.code else step.plan
    if plan is None or (not step.code and (step.command or step.image not in IMAGES)):
        raise UserError(NO_IMAGES, reason="ImagesNotSupported")
    layout.make()
    for mount in step.mounts:
        (layout.workspace / mount.folder).mkdir(parents=True, exist_ok=True)
    private = layout.private / private_name(step.name)
    folders = folders_of(step.mounts, layout.workspace, machine.algorithms, private)
    if step.code:
        folders = with_volume(folders, layout.volume)
    raw = msgspec.json.encode(_adapt(relocate(plan, folders), step, machine))
    return [
        _program(step, index, layout, raw, {**_common(step, folders, machine), **credentials})
        for index in range(step.nodes)
    ]


def _own_code_plan(step: Step) -> LaunchPlan:
    """The launcher keeps its output, as the wrapper around a container's entrypoint does."""
    grace = grace_seconds(step.environment) - LAUNCHER_SECONDS
    return LaunchPlan(command=(*step.command, *step.args), nodes=step.nodes, grace_seconds=grace)


def _adapt(plan: AnyPlan, step: Step, machine: Machine) -> AnyPlan:
    """Rank 0 is on this machine, at a port that no other job uses."""
    if isinstance(plan, LaunchPlan):
        return msgspec.structs.replace(
            plan,
            command=tuple(_installed(word) for word in plan.command),
            processes_per_node=_processes_per_node(plan, step),
            master_address=LOCALHOST if plan.nodes > 1 else "",
            master_port=_free_port(),
        )
    return plan


def _processes_per_node(plan: LaunchPlan, step: Step) -> int:
    """One CPU process plays a node's GPUs where there are none."""
    has_gpus = shutil.which("nvidia-smi") is not None
    return plan.processes_per_node if has_gpus or not step.resources.gpus else 1


def _installed(word: str) -> str:
    """An image's `python` is the one that runs us."""
    return sys.executable if PYTHON.fullmatch(word) else word


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _common(step: Step, folders: Folders, machine: Machine) -> dict[str, str]:
    processes = step.nodes
    if isinstance(step.plan, LaunchPlan):
        processes *= _processes_per_node(step.plan, step)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(max(1, machine.cores // processes)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": f"{JOBKIT_ROOT}{os.pathsep}{ALGORITHMS_ROOT}",
        "POD_IP": LOCALHOST,
        **{name: folders.variable(value) for name, value in step.variables.items()},
    }


def _program(
    step: Step, index: int, layout: JobLayout, plan: bytes, variables: dict[str, str]
) -> Program:
    plan_file = layout.of_node(step.name, index, "plan.json")
    report = layout.of_node(step.name, index, "report.json")
    plan_file.write_bytes(plan)
    report.unlink(missing_ok=True)
    own = {
        "HOME": str(layout.home),
        "TMPDIR": str(layout.temporary),
        "JOB_COMPLETION_INDEX": str(index),
        PLAN_ENV: str(plan_file),
        TERMINATION_LOG_ENV: str(report),
    }
    return Program(
        command=(sys.executable, "-m", "jobkit", SUBCOMMANDS[step.role]),
        variables=variables | own,
        folder=layout.workspace,
        log=layout.of_node(step.name, index, "log"),
        report=report,
    )
