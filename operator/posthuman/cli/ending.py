"""How a command ends: exit codes, and errors as sentences."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.text import Text

from posthuman.errors import PosthumanError, UserError

SUCCEEDED = 0
FAILED = 1
REFUSED = 2
UNCHECKED = 3  # nothing was found wrong, but not everything could be looked at
INTERRUPTED = 130  # 128 + SIGINT, as shells say it

said = Console(stderr=True, highlight=False)
"""Where everything but a command's result is said."""


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """End the process with the right code; a traceback is for bugs alone."""
    try:
        yield
    except UserError as error:
        complain(str(error))
        raise SystemExit(REFUSED) from None
    except PosthumanError as error:
        complain(str(error))
        raise SystemExit(FAILED) from None
    except KeyboardInterrupt:
        complain("stopped; every process of it has ended")
        raise SystemExit(INTERRUPTED) from None


def end_with(command: Callable[[], int]) -> None:
    """Run it, and end the process with its exit code."""
    with errors_as_sentences():
        raise SystemExit(command())


def complain(sentence: str) -> None:
    """One error, as it is: no markup is read in it."""
    said.print(Text("error: ", style="bold red") + Text(sentence), soft_wrap=True)


def end_as_by_ctrl_c(*signals: signal.Signals) -> None:
    """These signals too stop what runs, in order, before we end; also where a shell, starting us in
    a script's background, has Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in signals:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
