"""`posthuman algorithm new`: a folder with an algorithm that works, for a person to change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from posthuman.cli.ending import SUCCEEDED
from posthuman.environments.catalogue import read_catalogue
from posthuman.errors import UserError
from posthuman.local.session import BUILTINS

NAME = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")  # a job's name, a folder's, an image's
PLACEHOLDER = "@NAME@"
SUFFIX = ".tmpl"  # so that this repository's own checks don't take the template for its code
HIDDEN = frozenset({"gitignore", "dockerignore"})

NEXT_STEPS = """\
made {folder}

  python {path} --data {path}/example/text.jsonl --outputs out    run it by hand
  posthuman run {path}/job.yaml --algorithms {parent}    run it as a job, on this machine
  make -C {path} check    format, types, tests (needs ruff, mypy and pytest)

Then put your own into {path}/program.py; docs/writing-an-algorithm.md says what a job gives it."""


def make_algorithm(name: str, parent: Path) -> int:
    """Write `parent`/`name` and say what to do next. Raises UserError."""
    _check(name)
    folder = parent / name
    if folder.exists():
        raise UserError(f"{folder} exists already: take another name, or another --folder")
    for path, text in _template():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(PLACEHOLDER, name))
    shown = folder.as_posix()
    print(NEXT_STEPS.format(folder=folder, path=shown, parent=parent.as_posix()))
    return SUCCEEDED


def _check(name: str) -> None:
    """Raises UserError."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"\"{name}\" can't be an algorithm's name: take at most 30 lower case letters, digits "
            "and dashes, a letter first and no dash last"
        )
    if name in read_catalogue(BUILTINS):
        raise UserError(f'there is a built-in algorithm "{name}" already: take another name')


def _template() -> Iterator[tuple[str, str]]:
    """Each file's path and text."""
    yield from _files(files("posthuman.cli.algorithm") / "template", "")


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            name = entry.name.removesuffix(SUFFIX)
            yield f"{prefix}{'.' if name in HIDDEN else ''}{name}", entry.read_text("utf-8")
