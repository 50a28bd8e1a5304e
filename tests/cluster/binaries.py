"""The cluster's programs, built once a machine from pinned Go modules.

Each folder under `go/` is a module whose go.mod and go.sum fix every source byte; the hash of these
files and of the compiler's version names the cache folder, so a build is never stale and a second
run starts at once.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import machine
from tests.cluster.errors import ClusterError
from tests.cluster.layout import CACHE, HERE, KUBERNETES_VERSION
from tests.cluster.shell import run, run_long, say, turn


@dataclass(frozen=True)
class GoModule:
    """One folder under go/, the programs that come from it, and what they cost."""

    name: str
    programs: Mapping[str, str]  # program → package
    cost: str
    linker_flags: str = "-s -w"
    source_name: str = ""

    @property
    def source(self) -> Path:
        """The folder of its go.mod."""
        return HERE / "go" / (self.source_name or self.name)

    @property
    def folder(self) -> Path:
        """The cache folder for exactly these sources and this compiler."""
        digest = hashlib.sha256(f"{run('go', 'version')}{self.linker_flags}".encode())
        for file in sorted(self.source.iterdir()):
            digest.update(file.name.encode() + file.read_bytes())
        return CACHE / "bin" / f"{self.name}-{digest.hexdigest()[:16]}"

    @property
    def built(self) -> bool:
        return all((self.folder / program).exists() for program in self.programs)


_COMMANDS = ("apiserver", "controller-manager", "scheduler", "proxy")
KUBERNETES = GoModule(
    "kubernetes",
    {
        **{f"kube-{name}": f"k8s.io/kubernetes/cmd/kube-{name}" for name in _COMMANDS},
        "kubelet": "k8s.io/kubernetes/cmd/kubelet",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    },
    cost=f"Kubernetes {KUBERNETES_VERSION}, about 7 min",
    # Without it every server says v0.0.0, and clients that compare versions refuse to talk.
    linker_flags=f"-s -w -X k8s.io/component-base/version.gitVersion=v{KUBERNETES_VERSION}",
)
KUBECTL = GoModule(
    "kubectl",
    {"kubectl": "k8s.io/kubernetes/cmd/kubectl"},
    cost=f"kubectl {KUBERNETES_VERSION}, about 2 min",
    linker_flags=KUBERNETES.linker_flags,
    source_name="kubernetes",
)
ETCD = GoModule("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, cost="etcd 3.6.8, about 30 s")
COREDNS = GoModule("coredns", {"coredns": "."}, cost="CoreDNS 1.14.3, about 1 min")
HELM = GoModule("helm", {"helm": "helm.sh/helm/v3/cmd/helm"}, cost="Helm 3.19.5, about 1 min")
KWOK = GoModule("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, cost="kwok 0.7.0, about 2 min")
VERSITYGW = GoModule(
    "versitygw",
    {"versitygw": "github.com/versity/versitygw/cmd/versitygw"},
    cost="versitygw 1.8.0, about 2 min",
)
KIND = GoModule("kind", {"kind": "sigs.k8s.io/kind"}, cost="kind 0.30.0, about 30 s")

NATIVE = (KUBERNETES, ETCD, COREDNS, HELM)
EVERYTHING = (*NATIVE, KWOK, VERSITYGW)


def build(modules: Iterable[GoModule]) -> None:
    """Build what isn't in the cache yet; several callers at once build each thing once."""
    if all(module.built for module in modules):
        return
    with turn(CACHE / "build.lock", "building the cluster's programs"):
        machine.require_free_disk()
        scratch = CACHE / "build"
        try:
            for module in modules:
                if not module.built:
                    _compile(module, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _compile(module: GoModule, scratch: Path) -> None:
    """Build in a scratch folder, then move it in one step: the cache holds whole sets only."""
    say(f"building {module.cost}, once a machine (log: {_log(module)})")
    out = scratch / module.name
    out.mkdir(parents=True, exist_ok=True)
    env = {"GOCACHE": str(scratch / "gocache"), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    for command in _build_commands(module, out):
        run_long(_log(module), command, env, module.source)
    shutil.rmtree(module.folder, ignore_errors=True)
    module.folder.parent.mkdir(parents=True, exist_ok=True)
    out.rename(module.folder)


def _build_commands(module: GoModule, out: Path) -> list[list[str | Path]]:
    """One `go build` for a folder of commands; one with `-o` where the package's name differs."""
    flags: list[str | Path] = ["-trimpath", "-ldflags", module.linker_flags]
    if len(module.programs) > 1:
        return [["nice", "go", "build", *flags, "-o", f"{out}/", *module.programs.values()]]
    ((program, package),) = module.programs.items()
    return [["nice", "go", "build", *flags, "-o", out / program, package]]


def _log(module: GoModule) -> Path:
    return CACHE / "logs" / f"build-{module.name}.log"


def program(name: str) -> Path:
    """The path of a built program; asking for one that isn't built is a fault of ours."""
    for module in (*EVERYTHING, KIND, KUBECTL):
        if name in module.programs and (module.folder / name).exists():
            return module.folder / name
    raise ClusterError(f"{name} isn't built; run `python -m tests.cluster build`")
