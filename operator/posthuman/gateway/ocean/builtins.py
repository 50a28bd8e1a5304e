"""Built-in algorithms, bought as Ocean sells algorithms: a container section names one. Pure.

`container.entrypoint` is "posthuman-builtin train". The environment runs its own `train`, from its
own image: the section's image only says so to people who read the asset.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec

from posthuman.api.job import Algorithm, BuiltinAlgorithm, JobInput

ENTRYPOINT = re.compile(r"posthuman-builtin ([a-z][a-z0-9-]*)")
FIRST_DATA = {"generate": "prompts", "question-answer": "corpus"}  # others: text


def builtin_of(entrypoint: str) -> BuiltinAlgorithm | None:
    """None where the container is to be run as it stands."""
    named = ENTRYPOINT.fullmatch(entrypoint.strip())
    return BuiltinAlgorithm(name=named[1]) if named else None


def as_wanted(
    algorithm: Algorithm, inputs: Sequence[JobInput], models: Collection[str]
) -> tuple[JobInput, ...]:
    """The inputs, those whose DID is in `models` as models; under the names that a built-in knows
    them by: `model`, and `text` for the first of the others. Ocean's inputs have no names."""
    typed = [
        msgspec.structs.replace(found, kind="model") if found.did in models else found
        for found in inputs
    ]
    if algorithm.builtin is None:
        return tuple(typed)
    taken = {found.name for found in typed}
    for kind, name in (("model", "model"), ("dataset", _data_name(algorithm.builtin))):
        _rename_first(typed, kind, name, taken)
    return tuple(typed)


def _data_name(builtin: BuiltinAlgorithm) -> str:
    return FIRST_DATA.get(builtin.name, "text")


def _rename_first(inputs: list[JobInput], kind: str, name: str, taken: Collection[str]) -> None:
    for index, found in enumerate(inputs):
        if found.kind == kind and found.did and name not in taken:
            inputs[index] = msgspec.structs.replace(found, name=name)
            return
