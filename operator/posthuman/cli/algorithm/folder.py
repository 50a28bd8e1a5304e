"""An algorithm's folder, read for its publication."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from posthuman.assets.algorithm_ddo import Algorithm, parse_image
from posthuman.environments.catalogue import FACTS_FILE, code_digest
from posthuman.errors import UserError

SCHEMA_FILE = "parameters.schema.json"
LEAST_TITLE, LEAST_DESCRIPTION = 4, 10  # characters, as Ocean's schema wants them


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of it; an empty word leaves it to the folder."""

    image: str
    title: str = ""
    description: str = ""
    license: str = ""
    author: str = ""


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """algorithm.json."""

    name: str
    version: str
    description: str = ""
    language: str = "python"
    entrypoint: tuple[str, ...] = ()
    inputs: dict[str, dict[str, object]] = {}


def read_algorithm(folder: Path, said: Said) -> Algorithm:
    """Raises UserError, which names the file and what it lacks."""
    facts = _read(folder / FACTS_FILE, _Facts)
    schema = _read(folder / SCHEMA_FILE, dict[str, Any])
    title, description = said.title or facts.name, said.description or facts.description
    _check(folder, facts, title, description)
    return Algorithm(
        name=facts.name,
        title=title,
        description=description,
        version=facts.version,
        language=facts.language,
        entrypoint=facts.entrypoint,
        image=parse_image(said.image, facts.version),
        inputs=facts.inputs,
        schema=schema,
        code_digest=code_digest(folder.absolute().parent, (folder.absolute().name,)),
        license=said.license,
        author=said.author,
    )


def _check(folder: Path, facts: _Facts, title: str, description: str) -> None:
    if not facts.entrypoint:
        raise UserError(
            f'{folder / FACTS_FILE} has no entrypoint: say how the image starts, ["python", "/app"]'
        )
    if len(title) < LEAST_TITLE:
        raise UserError(f'"{title}" is too short a name to be published: give a longer --name')
    if len(description) < LEAST_DESCRIPTION:
        raise UserError(f"say in --description, in a sentence, what {facts.name} does")


def _read(file: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise UserError(
            f"{file} can't be read ({error.strerror}): an algorithm's folder has it, as "
            "`posthuman algorithm new` makes it"
        ) from error
    except msgspec.MsgspecError as error:
        raise UserError(f"{file} is malformed: {error}") from error


def as_facts(algorithm: Algorithm) -> Mapping[str, str]:
    """What those write who trust it: an environment's admin, and an asset's owner."""
    return {
        "programDigest": algorithm.program_digest,
        "containerSectionChecksum": algorithm.container_section_checksum,
    }
