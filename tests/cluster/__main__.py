"""The command line of the test cluster: `python -m tests.cluster up`."""

import argparse
import sys

from tests.cluster import binaries, kwok, machine, native
from tests.cluster.errors import ClusterError
from tests.cluster.images import load
from tests.cluster.shell import fail, say


def main() -> int:
    """Carry out one command; faults come out as one sentence and an exit code."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.command(arguments))
    except ClusterError as error:
        return fail(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("up", help="bring the cluster up")
    up.add_argument("--replace", action="store_true", help="take another checkout's place")
    up.set_defaults(command=_up)
    commands.add_parser("down", help="take it away").set_defaults(command=_down)
    status = commands.add_parser("status", help="is it up (exit 0), or could it be (--can-run)?")
    status.add_argument("--can-run", action="store_true", help="exit 3 if this machine can't")
    status.set_defaults(command=_status)
    images = commands.add_parser("load-images", help="build the images and bring them in")
    images.add_argument("--only", help=f"some of {','.join(load.BUILDERS)}")
    images.set_defaults(command=_load_images)
    fake = commands.add_parser("kwok", help="add or remove two fake nodes of eight GPUs")
    fake.add_argument("change", choices=("up", "down"))
    fake.set_defaults(command=_kwok)
    commands.add_parser("build", help="build all programs").set_defaults(command=_build)
    return parser


def _up(arguments: argparse.Namespace) -> int:
    machine.require_capable()
    native.up(arguments.replace)
    return 0


def _down(_: argparse.Namespace) -> int:
    native.down()
    return 0


def _status(arguments: argparse.Namespace) -> int:
    if arguments.can_run:
        machine.require_capable()
        say("this machine can have a cluster")
        return 0
    say("up" if native.is_up() else "down")
    return 0 if native.is_up() else 1


def _load_images(arguments: argparse.Namespace) -> int:
    wanted = arguments.only.split(",") if arguments.only else list(load.BUILDERS)
    unknown = sorted(set(wanted) - set(load.BUILDERS))
    if unknown:
        raise ClusterError(f"no image is called {unknown}; there are {list(load.BUILDERS)}")
    load.load(wanted)
    return 0


def _kwok(arguments: argparse.Namespace) -> int:
    if arguments.change == "up":
        kwok.up()
    else:
        kwok.down()
    return 0


def _build(_: argparse.Namespace) -> int:
    machine.require_capable()
    binaries.build(binaries.EVERYTHING)
    return 0


if __name__ == "__main__":
    sys.exit(main())
