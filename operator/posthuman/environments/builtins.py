"""May this built-in be run so? What the catalogue tells: name, inputs, parameters. Pure.

A misspelt parameter is refused here, before an input is brought or a GPU is taken.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from posthuman.api.job import ComputeJob
from posthuman.environments.catalogue import BuiltinFacts, Catalogue
from posthuman.environments.verdict import Refusal

LONGEST_VALUE = 60  # characters of a wrong value that are quoted


def review_builtin(job: ComputeJob, catalogue: Catalogue) -> Refusal | None:
    """The first thing that is wrong; None for a right job, and for one of another kind."""
    builtin = job.spec.algorithm.builtin
    if builtin is None:
        return None
    facts = catalogue.get(builtin.name)
    if facts is None:
        return Refusal("UnknownAlgorithm", _unknown(builtin.name, catalogue))
    if builtin.version not in ("", facts.version):
        return Refusal(
            "UnknownAlgorithmVersion",
            f"algorithm {facts.name} is installed in version {facts.version}, not "
            f"{builtin.version}; leave the version out, or ask the admin for it",
        )
    return _inputs(job, facts) or _parameters(job, facts)


def _unknown(name: str, catalogue: Catalogue) -> str:
    hint = _hint(name, catalogue)
    return f'there is no built-in algorithm "{name}"; {hint}There are: {", ".join(catalogue)}'


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f'did you mean "{near[0]}"? ' if near else ""


def _inputs(job: ComputeJob, facts: BuiltinFacts) -> Refusal | None:
    missing = sorted(set(facts.inputs) - {found.name for found in job.spec.inputs})
    if not missing:
        return None
    return Refusal(
        "MissingInput",
        f'algorithm {facts.name} needs an input named "{missing[0]}"; add it to spec.inputs',
    )


def _parameters(job: ComputeJob, facts: BuiltinFacts) -> Refusal | None:
    """As the algorithm's own JSON Schema has them; one without a schema is asked nothing."""
    given, known = job.spec.parameters, facts.parameters.get("properties", {})
    closed = facts.parameters.get("additionalProperties") is False
    for name in given if closed else ():
        if name not in known:
            hint = _hint(name, known) or f"It has: {', '.join(known)}. "
            message = f'algorithm {facts.name} has no parameter "{name}"; {hint}'
            return Refusal("BadParameter", message.strip())
    error = best_match(Draft202012Validator(facts.parameters).iter_errors(given))
    return Refusal("BadParameter", _sentence(error)) if error else None


def _sentence(error: ValidationError) -> str:
    """`spec.parameters.steps: 0 is less than the minimum of 1`."""
    place = ".".join(["spec.parameters", *map(str, error.absolute_path)])
    quoted, shown = repr(error.instance), repr(error.instance)[:LONGEST_VALUE]
    return f"{place}: {error.message.replace(quoted, shown)}"
