"""`jobkit launch`: the algorithm's own exit code, a reason, its output, and no process left."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobkit.launch import algorithm_command, algorithm_environment, log_file_of
from jobkit.plan import LaunchPlan
from tests.jobkit.running import Ended, ended, run, start

PATIENCE_SECONDS = 20.0


def python(code: str, folder: Path, **fields: Any) -> LaunchPlan:
    """A plan that runs a piece of Python."""
    command = (sys.executable, "-c", code)
    return LaunchPlan(command=command, log_file=f"{folder}/logs/algorithm.log", **fields)


def launched(code: str, folder: Path) -> Ended:
    return run("launch", python(code, folder), folder)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Running, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_goes_on_and_into_the_log(tmp_path: Path) -> None:
    done = launched("import sys; print('out', flush=True); print('err', file=sys.stderr)", tmp_path)
    assert (done.exit_code, done.report.reason) == (0, "Completed")
    assert done.output.startswith("out\nerr\n")
    assert (tmp_path / "logs/algorithm.log").read_text() == "out\nerr\n"


def test_ends_with_the_algorithms_exit_code_and_last_words(tmp_path: Path) -> None:
    done = launched("print('no such column: text'); raise SystemExit(7)", tmp_path)
    assert done.exit_code == 7
    assert (done.report.reason, done.report.user_error) == ("Error", False)
    assert "code 7" in done.report.message
    assert "no such column: text" in done.report.message
    assert done.report.details == {"exitCode": 7}


def test_the_last_progress_is_told_at_the_end(tmp_path: Path) -> None:
    lines = [
        '{"posthuman": "progress", "percent": 50, "step": 5}',
        '{"posthuman": "progress", "percent": 100, "step": 10, "metrics": {"loss": 2.5}}',
    ]
    done = launched(f"print({lines[0]!r}); print({lines[1]!r}); print('bye')", tmp_path)
    told = done.report.details["progress"]
    assert (told["percent"], told["step"], told["metrics"]) == (100.0, 10, {"loss": 2.5})


def test_progress_that_is_too_long_for_a_report_is_left_out(tmp_path: Path) -> None:
    metrics = {"m" * 60 + str(number): 1.0 for number in range(60)}
    line = json.dumps({"posthuman": "progress", "percent": 1, "metrics": metrics})
    done = launched(f"print({line!r})", tmp_path)
    assert done.report.details == {"exitCode": 0}


def test_the_algorithms_own_reason_wins(tmp_path: Path) -> None:
    line = (
        '{"posthuman": "failure", "reason": "EmptyDataset", "message": "text is empty",'
        ' "userError": true}'
    )
    done = launched(f"print({line!r}); raise SystemExit(3)", tmp_path)
    assert done.exit_code == 3
    assert (done.report.reason, done.report.message) == ("EmptyDataset", "text is empty")
    assert done.report.user_error


def test_a_reason_that_kubernetes_would_refuse_is_replaced(tmp_path: Path) -> None:
    line = '{"posthuman": "failure", "reason": "not one word", "message": "m"}'
    done = launched(f"print({line!r}); raise SystemExit(3)", tmp_path)
    assert (done.report.reason, done.report.message) == ("AlgorithmFailed", "m")


def test_a_kill_hints_at_memory(tmp_path: Path) -> None:
    done = launched("import os; os.kill(os.getpid(), 9)", tmp_path)
    assert (done.exit_code, done.report.reason) == (137, "OOMKilled")
    assert "out of memory" in done.report.message


def test_a_crash_names_the_signal(tmp_path: Path) -> None:
    done = launched("import os; os.kill(os.getpid(), 11)", tmp_path)
    assert done.exit_code == 139
    assert "signal 11" in done.report.message


def test_a_command_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    plan = LaunchPlan(command=("/no/such/program",), log_file=f"{tmp_path}/a.log")
    done = run("launch", plan, tmp_path)
    assert (done.exit_code, done.report.reason) == (127, "CommandNotFound")
    assert done.report.user_error
    assert "/no/such/program" in done.report.message


def test_much_output_and_endless_lines_do_not_block(tmp_path: Path) -> None:
    done = launched("print('x' * 3_000_000); print('y\\n' * 100_000)", tmp_path)
    assert done.exit_code == 0
    assert (tmp_path / "logs/algorithm.log").stat().st_size == 3_000_001 + 200_001


def test_a_log_that_cannot_be_written_does_not_stop_the_algorithm(tmp_path: Path) -> None:
    plan = LaunchPlan(command=("seq", "100000"), log_file="/dev/full")
    done = run("launch", plan, tmp_path)
    assert done.exit_code == 0
    assert "no longer written to /dev/full" in done.output
    assert "100000" in done.output


def test_bytes_that_are_no_text_pass(tmp_path: Path) -> None:
    done = launched("import os; os.write(1, b'\\xff\\xfe\\n'); raise SystemExit(1)", tmp_path)
    assert done.exit_code == 1
    assert (tmp_path / "logs/algorithm.log").read_bytes() == b"\xff\xfe\n"


STOPPABLE = """
import signal, sys, pathlib, time
def stop(*_):
    pathlib.Path({folder!r}, "checkpoint").write_text("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path({folder!r}, "ready").touch()
while True: time.sleep(1)
"""

STUBBORN = """
import os, signal, subprocess, sys, pathlib, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
pathlib.Path({folder!r}, "pids").write_text(f"{{os.getpid()}} {{child.pid}}")
while True: time.sleep(1)
"""


def test_sigterm_reaches_the_algorithm_which_may_still_save(tmp_path: Path) -> None:
    process = start("launch", python(STOPPABLE.format(folder=str(tmp_path)), tmp_path), tmp_path)
    wait_until((tmp_path / "ready").exists)
    process.send_signal(signal.SIGTERM)
    done = ended(process, tmp_path)
    assert (tmp_path / "checkpoint").read_text() == "saved"
    assert (done.exit_code, done.report.reason) == (0, "Completed")


def test_after_its_grace_a_stubborn_algorithm_is_killed_with_all_it_started(
    tmp_path: Path,
) -> None:
    plan = python(STUBBORN.format(folder=str(tmp_path)), tmp_path, grace_seconds=0.3)
    process = start("launch", plan, tmp_path)
    pids = tmp_path / "pids"
    wait_until(lambda: pids.exists() and bool(pids.read_text()))
    process.send_signal(signal.SIGTERM)
    done = ended(process, tmp_path)
    assert (done.exit_code, done.report.reason) == (137, "Terminated")
    assert not any(is_alive(int(pid)) for pid in pids.read_text().split())


def test_processes_that_outlive_the_algorithm_are_ended(tmp_path: Path) -> None:
    """Also one in a session of its own whose parent is gone, and which holds the output open."""
    code = """
import subprocess, sys, pathlib
middle = "import subprocess as s; p = s.Popen(['sleep', '600'], start_new_session=True)"
middle += "; print(p.pid, flush=True)"
subprocess.run([sys.executable, "-c", middle], start_new_session=True)
"""
    done = launched(code, tmp_path)
    orphan = int(done.output.split()[0])
    assert done.exit_code == 0
    assert not is_alive(orphan)


class TestPlace:
    """How torchrun is told which node this is."""

    def test_one_process_runs_alone(self) -> None:
        plan = LaunchPlan(command=("python", "train"))
        assert algorithm_command(plan) == ["python", "train"]
        assert not any(name.startswith("PET_") for name in algorithm_environment(plan, 0, {}))

    def test_several_run_under_torchrun(self) -> None:
        plan = LaunchPlan(command=("python", "train", "-x"), processes_per_node=8)
        assert algorithm_command(plan)[1:] == [
            *("-m", "jobkit.elastic", "--no-python", "python", "train", "-x")
        ]
        environment = algorithm_environment(plan, 0, {"HOME": "/tmp"}, port=lambda: 4242)
        assert environment == {
            "HOME": "/tmp",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            "PET_NNODES": "1",
            "PET_NPROC_PER_NODE": "8",
            "PET_NODE_RANK": "0",
            "PET_MASTER_ADDR": "127.0.0.1",
            "PET_MASTER_PORT": "4242",
            "PET_MAX_RESTARTS": "0",
            "PET_SHUTDOWN_TIMEOUT": "25",
        }

    def test_torchrun_gives_its_ranks_the_whole_grace(self) -> None:
        """Its own 30 s are too few to save the checkpoint of a large model."""
        plan = LaunchPlan(command=("x",), processes_per_node=2, grace_seconds=599.5)
        environment = algorithm_environment(plan, 0, {})
        assert environment["PET_SHUTDOWN_TIMEOUT"] == "600"

    def test_rank_0_names_itself_the_others_the_service(self) -> None:
        plan = LaunchPlan(command=("x",), nodes=2, processes_per_node=8, master_address="10.96.0.9")
        own = {"POD_IP": "10.244.0.7"}
        masters = [algorithm_environment(plan, rank, own)["PET_MASTER_ADDR"] for rank in (0, 1)]
        assert masters == ["10.244.0.7", "10.96.0.9"]
        assert algorithm_environment(plan, 1, own)["PET_MASTER_PORT"] == "29500"

    def test_what_is_missing_is_named(self, tmp_path: Path) -> None:
        plan = LaunchPlan(command=("x",), nodes=2, log_file=f"{tmp_path}/a.log")
        without = {"JOB_COMPLETION_INDEX": "1", "POD_IP": os.environ.get("POD_IP", "")}
        done = run("launch", plan, tmp_path, without)
        assert done.exit_code == 1
        assert "masterAddress" in done.report.message

    def test_nodes_do_not_share_a_log(self) -> None:
        plan = LaunchPlan(command=("x",))
        assert [log_file_of(plan, rank).name for rank in (0, 1)] == [
            "algorithm.log",
            "algorithm-node-1.log",
        ]


TWO_RANKS = """
import os, sys, datetime, torch, torch.distributed as dist
dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
total = torch.tensor([dist.get_rank() + 1.0])
dist.all_reduce(total)
print(f"rank {dist.get_rank()} of {dist.get_world_size()} sum {total.item()}", flush=True)
if "fail" in sys.argv and dist.get_rank() == 1:
    print('{"posthuman": "failure", "reason": "EmptyShard", "message": "no text"}', flush=True)
    os._exit(42)
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.models
class TestRanks:
    """Real gloo ranks under torchrun."""

    def plan(self, folder: Path, name: str = "a", *arguments: str, **fields: Any) -> LaunchPlan:
        command = (sys.executable, "-c", TWO_RANKS, *arguments)
        return LaunchPlan(command=command, log_file=f"{folder}/{name}.log", **fields)

    def test_the_failing_ranks_exit_code_comes_out(self, tmp_path: Path) -> None:
        done = run("launch", self.plan(tmp_path, "a", "fail", processes_per_node=2), tmp_path)
        assert done.exit_code == 42, done.output
        assert "rank 0 of 2 sum 3.0" in done.output
        assert (done.report.reason, done.report.message) == ("EmptyShard", "no text")

    def test_two_nodes_meet_at_the_masters_address(self, tmp_path: Path) -> None:
        port = 20_000 + os.getpid() % 10_000
        plan = self.plan(
            tmp_path, nodes=2, processes_per_node=1, master_address="127.0.0.1", master_port=port
        )
        folders = [tmp_path / "0", tmp_path / "1"]
        processes = []
        for rank, folder in enumerate(folders):
            folder.mkdir()
            place = {"JOB_COMPLETION_INDEX": str(rank), "POD_IP": "127.0.0.1"}
            processes.append(start("launch", plan, folder, place))
        for rank, process in enumerate(processes):
            done = ended(process, folders[rank])
            assert done.exit_code == 0, done.output
            assert f"rank {rank} of 2 sum 3.0" in done.output
        assert "rank 1 of 2" in (tmp_path / "a-node-1.log").read_text()

    def test_sigterm_ends_every_rank(self, tmp_path: Path) -> None:
        waiting = "import pathlib, os, sys, time\n"
        waiting += "pathlib.Path(sys.argv[1], f'pid-{os.getpid()}').touch()\ntime.sleep(600)\n"
        command = (sys.executable, "-c", waiting, str(tmp_path))
        log = f"{tmp_path}/a.log"
        plan = LaunchPlan(command=command, processes_per_node=2, log_file=log, grace_seconds=30)
        process = start("launch", plan, tmp_path)
        wait_until(lambda: len(list(tmp_path.glob("pid-*"))) == 2)
        process.send_signal(signal.SIGTERM)
        done = ended(process, tmp_path)
        assert (done.exit_code, done.report.reason) == (143, "Terminated"), done.output
        pids = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
        assert not any(is_alive(pid) for pid in pids)
