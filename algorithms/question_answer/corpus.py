"""The corpus as a stream of documents, and as texts on disk that are found by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from algorithms.shared.data.files import data_files
from algorithms.shared.data.lines import numbered_lines
from algorithms.shared.data.readers import rows_of
from algorithms.shared.data.records import place
from algorithms.shared.failures import EmptyDataset, MalformedDataset

COLUMNS = ("id", "title", "text")
TEXTS, STARTS = "texts.jsonl", "texts.starts.npy"


class Document(msgspec.Struct, frozen=True):
    """`id`: the record's own, else "<file>:<line>"; of a .txt file its name."""

    id: str
    title: str
    text: str

    @property
    def searched(self) -> str:
        """What the retriever looks at."""
        return f"{self.title}\n{self.text}"


def read_documents(path: Path) -> Iterator[Document]:
    """Every document that isn't blank, one in memory at a time.

    Raises MalformedDataset with file and line, EmptyDataset if nothing is left.
    """
    empty = True
    for name, file in data_files(path):
        for document in _documents_of(name, file):
            if document.text.strip():
                empty = False
                yield document
    if empty:
        raise EmptyDataset(f"{path.name} holds no document: every one is blank, or there is none.")


def _documents_of(name: str, file: Path) -> Iterator[Document]:
    if file.suffix.lower() == ".txt":
        text = "".join(line for _, line in numbered_lines(name, file))
        yield Document(name, file.stem, text)
        return
    for number, row in rows_of(name, file, COLUMNS):
        yield _document(f"{name}:{number}", row)


def _document(where: str, row: Mapping[str, Any]) -> Document:
    text, title = row.get("text"), row.get("title") or ""
    if not isinstance(text, str) or not isinstance(title, str):
        raise MalformedDataset(
            f'{place(where)}: is no document; write {{"id": "…", "title": "…", "text": "…"}}.'
        )
    given = row.get("id")
    return Document(where if given is None else str(given), title, text)


class DocumentStore:
    """Documents on disk: what is shortlisted is read again, the rest costs no memory."""

    def __init__(self, folder: Path) -> None:
        self._texts = (folder / TEXTS).open("rb")
        self._starts = np.load(folder / STARTS, mmap_mode="r")

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> Document:
        self._texts.seek(int(self._starts[number]))
        return msgspec.json.decode(self._texts.readline(), type=Document)


def stored(
    documents: Iterator[Document], folder: Path, on_document: Callable[[], None]
) -> Iterator[Document]:
    """Write the stream down as it passes, for a DocumentStore; `on_document` after each."""
    starts = []
    with (folder / TEXTS).open("wb") as texts:
        for document in documents:
            starts.append(texts.tell())
            texts.write(msgspec.json.encode(document) + b"\n")
            yield document
            on_document()
    np.save(folder / STARTS, np.array(starts, dtype=np.int64))
