"""How a process that trained ends: with its own exit code, whatever libraries do at exit.

Ranks that used DeepSpeed's ZeRO-3 abort now and then while Python takes itself down, after all is
written and said; torchrun would report that as the run's end. So nothing is taken down.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn


def end_with(main: Callable[[], int]) -> NoReturn:
    """As `sys.exit(main())`; an exception goes on to its traceback and exit code 1."""
    try:
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    if "deepspeed" not in sys.modules:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
