"""The containers of a step's pod, and what they may do: pure.

Everything runs as an ordinary user without capabilities on a read-only root; only the seal, which
closes the pod's network before the algorithm starts, is root with NET_ADMIN and nothing else.
"""

from __future__ import annotations

from jobkit.plan import PLAN_ENV, LaunchPlan, StagePlan
from posthuman.api.environment import SealKind
from posthuman.api.quantities import parse_cpu_millis
from posthuman.errors import UserError
from posthuman.jobs.steps import Mount, Network, Resources, Role, Step
from posthuman.kube.names import PLAN_FILE, PLAN_FOLDER, SEAL_PLAN_FILE, Manifest

USER_ID = 65532  # "nonroot" of the distroless images; also the group that owns the workspace
SUBCOMMANDS = {Role.STAGE: "fetch", Role.RUN: "launch", Role.EXPORT: "export"}
NETWORK_INTERFACE = "eth0"  # what every CNI calls a pod's own interface
PRIVATE_VOLUME = "private"  # of the stage step alone: what nobody else may see
SEAL_RESOURCES = {"cpu": "50m", "memory": "64Mi"}

# Runs "$@" with its output both on stdout and in the log that is exported ($LOG_FILE), and ends
# with its exit code, also after SIGTERM (a trap ends the first `wait` early, hence the loop).
KEEP_OUTPUT = """\
set -u
pipe="/tmp/algorithm.$$"
mkfifo "$pipe"
tee -a "$LOG_FILE" <"$pipe" &
keeper=$!
"$@" >"$pipe" 2>&1 &
algorithm=$!
trap 'kill -TERM "$algorithm" 2>/dev/null' TERM INT
wait "$algorithm"
code=$?
while kill -0 "$algorithm" 2>/dev/null; do
  wait "$algorithm"
  code=$?
done
wait "$keeper"
exit "$code"
"""


def main_container(step: Step, image: str) -> Manifest:
    """The step's own program."""
    program = _wrapped(step) if step.command else _jobkit(SUBCOMMANDS[step.role])
    return {
        "name": step.role.value,
        "image": image,
        **program,
        "env": environment_variables(step),
        "resources": _resources(step),
        "volumeMounts": [*_workspace_mounts(step), *_scratch_mounts(step)],
        "terminationMessagePolicy": "FallbackToLogsOnError" if step.command else "File",
        "securityContext": unprivileged(),
    }


def seal_container(jobkit_image: str) -> Manifest:
    """The init container that leaves the pod no network but its peers."""
    return {
        "name": "seal",
        "image": jobkit_image,
        **_jobkit("seal"),
        "env": [{"name": PLAN_ENV, "value": f"{PLAN_FOLDER}/{SEAL_PLAN_FILE}"}],
        "resources": {"requests": SEAL_RESOURCES, "limits": SEAL_RESOURCES},
        "volumeMounts": [_plan_mount()],
        "securityContext": {
            **unprivileged(),
            "runAsUser": 0,
            "runAsNonRoot": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
    }


def needs_seal(step: Step) -> bool:
    """Whether the pod closes its own network."""
    in_pod = step.environment.spec.seal in (SealKind.IN_POD, SealKind.BOTH)
    return in_pod and step.network is Network.PEERS


def unprivileged() -> Manifest:
    """A container's security context; the Pod Security level "restricted"."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def environment_variables(step: Step) -> list[Manifest]:
    """Plain values, the pod's address, and credentials only where the step says so."""
    plain = {"HOME": "/tmp", "TMPDIR": "/tmp", **step.variables}
    if step.plan is not None:
        plain[PLAN_ENV] = f"{PLAN_FOLDER}/{PLAN_FILE}"
    if step.command:
        plain["LOG_FILE"] = f"{_logs_folder(step)}/algorithm.log"
    if step.role is Role.RUN:
        plain |= _parallel_variables(step)
    named = [{"name": name, "value": value} for name, value in plain.items()]
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    return [*named, address, *_store_credentials(step)]


def _parallel_variables(step: Step) -> dict[str, str]:
    processes = step.plan.processes_per_node if isinstance(step.plan, LaunchPlan) else 1
    threads = parse_cpu_millis(step.resources.cpu) // 1000 // max(1, processes)
    return {
        "GLOO_SOCKET_IFNAME": NETWORK_INTERFACE,
        "NCCL_SOCKET_IFNAME": NETWORK_INTERFACE,
        "OMP_NUM_THREADS": str(max(1, threads)),
    }


def _store_credentials(step: Step) -> list[Manifest]:
    secret = step.environment.spec.store.credentials_secret
    if not (step.store_credentials and secret):
        return []
    keys = {"AWS_ACCESS_KEY_ID": "accessKeyId", "AWS_SECRET_ACCESS_KEY": "secretAccessKey"}
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": key}}}
        for name, key in keys.items()
    ]


def _jobkit(subcommand: str) -> Manifest:
    return {"command": ["python", "-m", "jobkit", subcommand]}


def _wrapped(step: Step) -> Manifest:
    return {"command": ["/bin/sh", "-c", KEEP_OUTPUT, "sh", *step.command], "args": [*step.args]}


def _logs_folder(step: Step) -> str:
    for mount in step.mounts:
        if mount.folder == "logs":
            return mount.path
    raise UserError(
        f"Step {step.name} runs an image of its own but mounts no folder `logs`: its output would "
        "be lost. Mount the workspace's `logs` folder.",
        "NoLogsFolder",
    )


def _resources(step: Step) -> Manifest:
    """Requests are limits, but for the cpu of stage and export, which may use what is idle."""
    wanted = {"memory": step.resources.memory, **_gpus(step.resources)}
    cpu = {"cpu": step.resources.cpu}
    limits = {**wanted, **cpu} if step.role is Role.RUN else wanted
    return {"requests": {**wanted, **cpu}, "limits": limits}


def _gpus(resources: Resources) -> dict[str, str]:
    return {resources.gpu_resource: str(resources.gpus)} if resources.gpus else {}


def _workspace_mounts(step: Step) -> list[Manifest]:
    return [_workspace_mount(mount) for mount in step.mounts]


def _workspace_mount(mount: Mount) -> Manifest:
    sub_path = {"subPath": mount.folder} if mount.folder else {}
    return {
        "name": "workspace",
        "mountPath": mount.path,
        "readOnly": mount.read_only,
        **sub_path,
    }


def _scratch_mounts(step: Step) -> list[Manifest]:
    mounts: list[Manifest] = [{"name": "tmp", "mountPath": "/tmp"}]
    if step.has_private and isinstance(step.plan, StagePlan):
        folder = step.plan.private_dir
        mounts.append({"name": PRIVATE_VOLUME, "mountPath": folder, "readOnly": True})
    if step.plan is not None:
        mounts.append(_plan_mount())
    if step.resources.shared_memory:
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})
    return mounts


def _plan_mount() -> Manifest:
    return {"name": "plan", "mountPath": PLAN_FOLDER, "readOnly": True}
