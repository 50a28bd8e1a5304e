"""An algorithm's output: passed on line by line, kept in a file, and read for what it says."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from typing import BinaryIO

from jobkit.progress import FailureLine, ProgressLine, parse_line

MAX_LINE_BYTES = 64 * 1024  # a longer line is passed on in pieces
LAST_LINES = 8
LAST_LINE_CHARACTERS = 400


class Tee:
    """Copies a pipe to stdout and a log file; a sink that fails is dropped, the pipe never stalls.

    `failure` is the first failure line seen, `progress` the last one of its kind, `last_lines` the
    end of the free text.
    """

    def __init__(self, log_file: Path) -> None:
        self._log_file = log_file
        self.failure: FailureLine | None = None
        self.progress: ProgressLine | None = None
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)

    def copy(self, pipe: BinaryIO) -> None:
        """Until the pipe's end."""
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as log:
            sinks: list[BinaryIO] = [sys.stdout.buffer, log]
            while line := pipe.readline(MAX_LINE_BYTES):
                for sink in list(sinks):
                    _write(sink, line, sinks)
                self._read(line.decode(errors="replace").rstrip())

    def _read(self, line: str) -> None:
        said = parse_line(line)
        if isinstance(said, FailureLine):
            self.failure = self.failure or said
        elif isinstance(said, ProgressLine):
            self.progress = said
        elif line:
            self.last_lines.append(line[:LAST_LINE_CHARACTERS])


def _write(sink: BinaryIO, line: bytes, sinks: list[BinaryIO]) -> None:
    try:
        sink.write(line)
        sink.flush()
    except OSError as error:
        sinks.remove(sink)
        print(f"jobkit: output is no longer written to {sink.name}: {error}", file=sys.stderr)
