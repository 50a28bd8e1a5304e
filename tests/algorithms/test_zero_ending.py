"""A process that used DeepSpeed ends with its own exit code, without being taken down."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, os, sys, types
from algorithms.shared.ending import end_with

if {deepspeed}:
    sys.modules["deepspeed"] = types.ModuleType("deepspeed")
atexit.register(os.abort)  # as its ranks do now and then

def main():
    print("all is written")
    {ending}

end_with(main)
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [("return 0", 0), ("return 15", 15), ("raise SystemExit(143)", 143), ("raise SystemExit", 0)],
)
def test_the_exit_code_is_the_programs(ending: str, code: int) -> None:
    done = _run(PROGRAM.format(deepspeed=True, ending=ending))
    assert (done.returncode, done.stdout) == (code, "all is written\n")


def test_without_deepspeed_python_is_taken_down_as_always() -> None:
    assert _run(PROGRAM.format(deepspeed=False, ending="return 0")).returncode < 0


def test_an_exception_still_shows_its_traceback() -> None:
    program = PROGRAM.replace("atexit.register", "str").format(deepspeed=True, ending="1 / 0")
    done = _run(program)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
