"""A single text in the log, word by word while it is generated."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from transformers import TextStreamer

LINE_CHARACTERS = 96


class LogStreamer(TextStreamer):
    """Words as they come, in lines; `on_line` is called between two lines."""

    def __init__(self, tokenizer: Any, on_line: Callable[[], None]) -> None:
        make: Any = super().__init__
        make(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._on_line = on_line
        self._column = 0

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        for character in text:
            self._write(character)
        if stream_end and self._column:
            self._write("\n")
        sys.stdout.flush()

    def _write(self, character: str) -> None:
        wrapped = character.isspace() and self._column >= LINE_CHARACTERS
        if character == "\n" or wrapped:
            sys.stdout.write("\n" if self._column else "|\n")
            self._column = 0
            self._on_line()
            return
        shown = character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        sys.stdout.write(shown if self._column else f"| {shown}")
        self._column += 1
