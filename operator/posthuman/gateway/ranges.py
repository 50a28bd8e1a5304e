"""HTTP's Range header for files that never change. Pure. See RFC 9110, section 14."""

from __future__ import annotations

import re

import msgspec

from posthuman.gateway.problems import Problem

_SINGLE = re.compile(r"bytes=(?P<first>[0-9]{0,19})-(?P<last>[0-9]{0,19})")


class Part(msgspec.Struct, frozen=True):
    """Bytes [start, end) of `size`; `partial` False: the whole file was asked for."""

    start: int
    end: int
    size: int
    partial: bool

    @property
    def status(self) -> int:
        """HTTP's."""
        return 206 if self.partial else 200

    @property
    def headers(self) -> dict[str, str]:
        """Those that say which part it is."""
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(self.end - self.start)}
        if self.partial:
            headers["Content-Range"] = f"bytes {self.start}-{self.end - 1}/{self.size}"
        return headers


def part_of(size: int, asked: str | None, etag: str = "", if_range: str | None = None) -> Part:
    """What is asked for of a file of `size` bytes. Several ranges, other units and a range for
    another version than `etag` are answered with the whole file, as the RFC allows.

    Raises Problem 416 for a range that begins behind the end.
    """
    whole = Part(0, size, size, partial=False)
    found = _SINGLE.fullmatch(asked.replace(" ", "")) if asked else None
    if found is None or (if_range is not None and if_range != etag):
        return whole
    first, last = found["first"], found["last"]
    if not first and not last:
        return whole
    if first and last and int(last) < int(first):
        return whole
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        raise Problem(
            416,
            f"the file has {size} bytes, and none of {asked!r}",
            {"Content-Range": f"bytes */{size}"},
            "RangeNotSatisfiable",
        )
    return Part(start, end, size, partial=True)
