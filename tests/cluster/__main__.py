"""The command line of the test cluster: `python -m tests.cluster up`."""

import argparse
import sys
from types import ModuleType

from tests.cluster import binaries, kind, kwok, machine, native
from tests.cluster.errors import ClusterError
from tests.cluster.images.names import ALL_IMAGES
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
    status = commands.add_parser("status", help="is it up (exit 0) or down (exit 1)?")
    status.add_argument("--can-run", action="store_true", help="could it be? Exit 3 and why if not")
    status.set_defaults(command=_status)
    images = commands.add_parser("load-images", help="build the images and bring them in")
    images.add_argument("--only", help=f"some of {','.join(ALL_IMAGES)}")
    images.set_defaults(command=_load_images)
    fake = commands.add_parser("kwok", help="add or remove two fake nodes of eight GPUs")
    fake.add_argument("change", choices=("up", "down"))
    fake.set_defaults(command=_kwok)
    build = commands.add_parser("build", help="build programs and print where they are")
    build.add_argument("--only", help=f"some of {','.join(_MODULES)}")
    build.set_defaults(command=_build)
    return parser


_MODULES = {module.name: module for module in binaries.EVERYTHING}


def _provider() -> ModuleType:
    """Kind's cluster where Docker works, else one of plain processes."""
    return kind if machine.docker_works() else native


def _up(arguments: argparse.Namespace) -> int:
    machine.require_capable()
    _provider().up(arguments.replace)
    return 0


def _down(_: argparse.Namespace) -> int:
    _provider().down()
    return 0


def _status(arguments: argparse.Namespace) -> int:
    if arguments.can_run:
        machine.require_capable()
        say("this machine can have a cluster")
        return 0
    is_up = _provider().is_up()
    say("up" if is_up else "down")
    return 0 if is_up else 1


def _load_images(arguments: argparse.Namespace) -> int:
    _provider().load_images(_chosen(arguments.only, list(ALL_IMAGES)))
    return 0


def _kwok(arguments: argparse.Namespace) -> int:
    if arguments.change == "up":
        kwok.up()
    else:
        kwok.down()
    return 0


def _build(arguments: argparse.Namespace) -> int:
    modules = [_MODULES[name] for name in _chosen(arguments.only, list(_MODULES))]
    binaries.build(modules)
    for module in modules:
        for name in module.programs:
            print(module.folder / name)
    return 0


def _chosen(only: str | None, known: list[str]) -> list[str]:
    names = only.split(",") if only else known
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ClusterError(f"{', '.join(unknown)} isn't known here; there are {', '.join(known)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
