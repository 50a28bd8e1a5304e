"""Documents cut into overlapping passages: short enough to be judged as one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Passage:
    """`start`: its first character's place in the document's text."""

    document: int  # its number in the corpus
    start: int
    text: str

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.start + len(self.text)


def cut(document: int, text: str, words: int, overlap: int) -> Iterator[Passage]:
    """Passages of `words` words, of which `overlap` are the next one's, too."""
    spans = [match.span() for match in WORD.finditer(text)]
    for first in range(0, max(len(spans) - overlap, 1), words - overlap):
        piece = spans[first : first + words]
        start, end = piece[0][0], piece[-1][1]
        yield Passage(document, start, text[start:end])
