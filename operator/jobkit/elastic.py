"""torchrun that ends with the first failing rank's exit code (its own is always 1).

Run as `python -m jobkit.elastic`, in the algorithm's interpreter; the one module that needs torch.
https://docs.pytorch.org/docs/stable/elastic/errors.html
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run

Parse = Callable[[list[str]], Namespace]
Run = Callable[[Namespace], None]


def main(arguments: list[str]) -> int:
    """Options by PET_* variables, as torchrun takes them; the exit code as a shell says it."""
    parse: Parse = parse_args  # torch leaves these two untyped
    start: Run = run
    try:
        start(parse(arguments))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        print(f"rank {rank} ended first, with exit code {failure.exitcode}", file=sys.stderr)
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
