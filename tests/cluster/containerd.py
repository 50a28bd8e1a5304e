"""containerd with a root of its own in the cache, so that images outlive clusters."""

from tests.cluster import daemons
from tests.cluster.images.housekeeping import tidy
from tests.cluster.images.pause import import_pause
from tests.cluster.images.store import containerd_answers, ctr
from tests.cluster.layout import CONTAINERD_ROOT, CONTAINERD_SOCKET, PAUSE_IMAGE, RUN
from tests.cluster.network import CNI_CONFIG
from tests.cluster.shell import wait_until

CONFIG = RUN / "containerd.toml"


def up() -> None:
    """Start containerd without any container of an earlier cluster, but with its images."""
    if daemons.alive("containerd"):
        return
    _start()
    if _remove_old_containers():
        # The kubelet's part of containerd still remembers them: let it read its root anew.
        daemons.stop("containerd")
        _start()
    import_pause()
    tidy()


def _start() -> None:
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    CONFIG.write_text(_config())
    daemons.start("containerd", ["containerd", "--config", CONFIG])
    wait_until("containerd", _answers, 60, "Its log is .run/cluster/logs/containerd.log.")


def _answers() -> bool:
    daemons.require_alive("containerd")
    return containerd_answers()


def _remove_old_containers() -> bool:
    old = ctr("containers", "ls", "--quiet").split()
    if old:
        ctr("containers", "rm", *old)
    return bool(old)


def _config() -> str:
    return f"""\
version = 2
root = "{CONTAINERD_ROOT}"
state = "{RUN}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{CONTAINERD_ROOT}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  # Under our own folder, so that `down` finds every network namespace that it must take away.
  netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{CNI_CONFIG}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""
