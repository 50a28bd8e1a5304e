"""`jobkit seal`: what it renders, and what a sealed network namespace can reach."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from jobkit.errors import WorldFault
from jobkit.plan import PLAN_ENV, TERMINATION_LOG_ENV, SealPlan
from jobkit.report import Report, decode_report
from jobkit.seal import closing_commands, is_complete, ruleset, wait_for_peers
from tests.jobkit.running import OPERATOR


def test_one_node_closes_everything_but_loopback() -> None:
    assert closing_commands(["lo", "eth0", "net1"]) == [
        ["ip", "link", "set", "eth0", "down"],
        ["ip", "link", "set", "net1", "down"],
    ]


def test_rules_admit_loopback_and_the_peers_alone() -> None:
    assert ruleset(["10.0.0.1", "10.0.0.2"]) == (
        "table inet posthuman_seal {}\n"
        "delete table inet posthuman_seal\n"
        "table inet posthuman_seal {\n"
        "  chain input {\n"
        "    type filter hook input priority filter; policy drop;\n"
        '    iifname "lo" accept\n'
        "    ip saddr { 10.0.0.1, 10.0.0.2 } accept\n"
        "    drop\n"
        "  }\n"
        "  chain output {\n"
        "    type filter hook output priority filter; policy drop;\n"
        '    oifname "lo" accept\n'
        "    ip daddr { 10.0.0.1, 10.0.0.2 } accept\n"
        "    reject with icmpx admin-prohibited\n"
        "  }\n"
        "}\n"
    )


def test_ipv6_peers_may_find_each_other() -> None:
    rules = ruleset(["fd00::1"])
    assert rules.count("nd-neighbor-solicit") == 2
    assert "ip saddr" not in rules


@pytest.mark.parametrize(
    ("addresses", "nodes", "complete"),
    [
        ([], 2, False),
        (["10.0.0.1"], 2, False),
        (["10.0.0.1", "10.0.0.2"], 2, True),
        (["10.0.0.1", "fd00::1"], 2, False),
        (["10.0.0.1", "10.0.0.2", "fd00::1"], 2, False),
        (["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"], 2, True),
    ],
)
def test_peers_are_complete_in_each_family(
    addresses: list[str], nodes: int, complete: bool
) -> None:
    assert is_complete(addresses, nodes) is complete


class Names:
    """A DNS that learns one more peer each time it is asked, and a clock that the waits move."""

    def __init__(self, steps: Sequence[list[str]]) -> None:
        self.steps, self.now = list(steps), 0.0

    def resolve(self, host: str) -> list[str]:
        if host == "master":
            return ["10.96.0.9"]
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, plan: SealPlan) -> list[str]:
        return wait_for_peers(plan, self.resolve, lambda: self.now, self.sleep)


PLAN = SealPlan(nodes=2, peers_host="peers", master_address="master", timeout_seconds=10)


def test_waits_until_every_peer_has_an_address() -> None:
    names = Names([[], ["10.0.0.1"], ["10.0.0.1", "10.0.0.1"], ["10.0.0.1", "10.0.0.2"]])
    assert names.wait(PLAN) == ["10.0.0.1", "10.0.0.2", "10.96.0.9"]


def test_gives_up_and_says_how_many_are_known() -> None:
    with pytest.raises(WorldFault, match="1 addresses after 10 s, 2 pods") as caught:
        Names([["10.0.0.1"]]).wait(PLAN)
    assert caught.value.reason == "PeersMissing"


# --- a real network namespace: `inside` has wires to a `peer` and to a `stranger` ---

INSIDE, PEER, STRANGER = (f"ph-{os.getpid()}-{name}" for name in ("inside", "peer", "stranger"))
INSIDE_TO_PEER, PEER_ADDRESS = "10.99.1.1", "10.99.1.2"
INSIDE_TO_STRANGER, STRANGER_ADDRESS = "10.99.2.1", "10.99.2.2"
LISTEN = """
import socket
server = socket.create_server(("::", 9000), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True: server.accept()[0].close()
"""
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 9000), timeout=1)"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextmanager
def network(name: str) -> Iterator[None]:
    """A namespace with loopback up, and a listener on port 9000."""
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        command = ["ip", "netns", "exec", name, sys.executable, "-c", LISTEN]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout is not None
            assert listener.stdout.readline() == "ready\n"
            try:
                yield
            finally:
                listener.kill()
    finally:
        ip("netns", "del", name)


def wire(other: str, inside_address: str, other_address: str) -> None:
    name = f"to-{other.rpartition('-')[2]}"
    peer = ["peer", "name", "eth0", "netns", other]
    ip("link", "add", name, "netns", INSIDE, "type", "veth", *peer)
    for namespace, link, address in (
        (INSIDE, name, inside_address),
        (other, "eth0", other_address),
    ):
        ip("-n", namespace, "addr", "add", f"{address}/24", "dev", link)
        ip("-n", namespace, "link", "set", link, "up")


@pytest.fixture
def wired() -> Iterator[None]:
    """Needs root, as the seal itself does."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with ExitStack() as stack:
        try:
            for name in (INSIDE, PEER, STRANGER):
                stack.enter_context(network(name))
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            pytest.skip(f"this machine has no network namespaces: {error}")
        wire(PEER, INSIDE_TO_PEER, PEER_ADDRESS)
        wire(STRANGER, INSIDE_TO_STRANGER, STRANGER_ADDRESS)
        yield


def reaches(source: str, address: str) -> bool:
    command = ["ip", "netns", "exec", source, sys.executable, "-c", CONNECT, address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def seal_inside(plan: SealPlan, folder: Path) -> Report:
    """Run the subcommand there, with the peers' names in a hosts file of its own."""
    (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
    (folder / "hosts").write_text(f"{INSIDE_TO_PEER} peers\n{PEER_ADDRESS} peers\n")
    script = f"mount --bind {folder}/hosts /etc/hosts && exec {sys.executable} -m jobkit seal"
    command = ["ip", "netns", "exec", INSIDE, "unshare", "--mount", "sh", "-c", script]
    variables = {
        "PYTHONPATH": str(OPERATOR),
        PLAN_ENV: str(folder / "plan.json"),
        TERMINATION_LOG_ENV: str(folder / "report"),
    }
    subprocess.run(command, env={**os.environ, **variables}, check=False, capture_output=True)
    report = decode_report((folder / "report").read_bytes())
    assert report is not None
    return report


def test_a_pod_alone_reaches_nothing_but_itself(wired: None, tmp_path: Path) -> None:
    everyone = [PEER_ADDRESS, STRANGER_ADDRESS, "127.0.0.1"]
    assert [reaches(INSIDE, address) for address in everyone] == [True, True, True]
    assert seal_inside(SealPlan(), tmp_path).reason == "Completed"
    assert [reaches(INSIDE, address) for address in everyone] == [False, False, True]
    assert not reaches(PEER, INSIDE_TO_PEER)


def test_a_pod_with_peers_reaches_them_alone(wired: None, tmp_path: Path) -> None:
    everyone = [PEER_ADDRESS, INSIDE_TO_PEER, "127.0.0.1", STRANGER_ADDRESS]
    assert all(reaches(INSIDE, address) for address in everyone)
    for _ in range(2):  # an init container may run again
        report = seal_inside(SealPlan(nodes=2, peers_host="peers"), tmp_path)
        assert report.reason == "Completed", report.message
    assert [reaches(INSIDE, address) for address in everyone] == [True, True, True, False]
    assert reaches(PEER, INSIDE_TO_PEER)
    assert not reaches(STRANGER, INSIDE_TO_STRANGER)


def test_without_the_right_to_seal_it_says_so(wired: None, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(SealPlan()))
    script = f"exec setpriv --bounding-set -all --inh-caps -all {sys.executable} -m jobkit seal"
    variables = {
        "PYTHONPATH": str(OPERATOR),
        PLAN_ENV: str(tmp_path / "plan.json"),
        TERMINATION_LOG_ENV: str(tmp_path / "report"),
    }
    command = ["ip", "netns", "exec", INSIDE, "sh", "-c", script]
    done = subprocess.run(command, env={**os.environ, **variables}, check=False)
    report = decode_report((tmp_path / "report").read_bytes())
    assert report is not None
    assert (done.returncode, report.reason, report.user_error) == (1, "SealFailed", False)
    assert "NET_ADMIN" in report.message
