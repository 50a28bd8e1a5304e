"""The command line that the algorithms share, and how they end.

torch and transformers are imported only once the parameters are found to be right: a typing error
costs no ten seconds, and `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from algorithms.shared.failures import BadParameter, Failure, MissingInput, announce
from algorithms.shared.inputs import Task
from algorithms.shared.parameters import P, json_schema, read_parameters, wire_names

PARAMETERS_FILE = "algoCustomData.json"
INTERRUPTED = 130  # Ctrl-C's exit code, as a shell says it


def main(folder: Path, kind: type[P], program: str, arguments: Sequence[str] | None = None) -> int:
    """Run the module `program` (its `run(task)`); returns the exit code."""
    algorithm = json.loads((folder / "algorithm.json").read_text())
    options = _parser(folder.name, algorithm, kind).parse_args(arguments)
    if options.schema:
        print(json.dumps(json_schema(kind, algorithm["name"]), indent=2))
        return 0
    return _run_guarded(algorithm, options, kind, program)


def _run_guarded(
    algorithm: dict[str, Any], options: argparse.Namespace, kind: type[P], program: str
) -> int:
    """Every bad end is announced by a failure line; an unforeseen one goes on to its traceback."""
    try:
        _run(algorithm, options, kind, program)
    except Failure as failure:
        announce(failure.reason, str(failure), user_error=True)
        return failure.exit_code
    except KeyboardInterrupt:
        print("Stopped by Ctrl-C.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        announce("AlgorithmError", f"{type(error).__name__}: {error}", user_error=False)
        raise
    return 0


def _run(
    algorithm: dict[str, Any], options: argparse.Namespace, kind: type[P], program: str
) -> None:
    outputs = _outputs(options.outputs)
    task = Task(
        algorithm=algorithm,
        inputs=_inputs(options.input),
        outputs=outputs,
        scratch=_scratch(outputs),
        parameters=read_parameters(_raw_parameters(options.parameters), kind),
    )
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # share the cores with what else runs
    os.environ["HF_HUB_OFFLINE"] = "1"  # everything needed is in the inputs
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # they are noise in a log
    importlib.import_module(program).run(task)


def _parser(folder: str, algorithm: dict[str, Any], kind: type[P]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python algorithms/{folder}",
        description=algorithm["description"],
        epilog=f"Parameters: {', '.join(wire_names(kind))}. See algorithms/{folder}/README.md.",
    )
    for input_name, option in algorithm["inputs"].items():
        parser.add_argument(
            option["option"],
            dest="input",
            action="append",
            type=_named_input(input_name),
            metavar=option["metavar"],
            help=option["description"],
        )
    parser.add_argument("--outputs", metavar="DIR", help="where to write; default: $OUTPUTS")
    parser.add_argument(
        "--parameters",
        metavar="JSON|@FILE",
        help=f"a JSON object, or @ and a file that holds one; default: $INPUTS/{PARAMETERS_FILE}",
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the parameters' JSON Schema and exit"
    )
    return parser


def _named_input(default: str) -> Any:
    """`PATH`, or `NAME=PATH` to tell several inputs of one kind apart."""

    def parse(text: str) -> tuple[str, Path]:
        name, separator, path = text.partition("=")
        return (name, Path(path)) if separator else (default, Path(text))

    return parse


def _inputs(given: list[tuple[str, Path]] | None) -> dict[str, Path]:
    if given:
        return _unique(given)
    raw = os.environ.get("POSTHUMAN_INPUTS", "{}")
    try:
        return {name: Path(folder) for name, folder in json.loads(raw).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise MissingInput(
            f'POSTHUMAN_INPUTS must be JSON such as {{"model": "/folder"}}: {error}.'
        ) from error


def _unique(given: list[tuple[str, Path]]) -> dict[str, Path]:
    """A name given again gets a number: model, model-2, model-3."""
    inputs: dict[str, Path] = {}
    for name, path in given:
        same = sum(1 for other in inputs if other == name or other.rpartition("-")[0] == name)
        inputs[f"{name}-{same + 1}" if same else name] = path
    return inputs


def _outputs(given: str | None) -> Path:
    folder = given or os.environ.get("OUTPUTS")
    if not folder:
        raise MissingInput("There is no outputs folder: give --outputs DIR or set OUTPUTS.")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


def _scratch(outputs: Path) -> Path:
    """`$SCRATCH`; by hand, a folder beside the outputs."""
    folder = Path(os.environ.get("SCRATCH") or outputs.with_name(f"{outputs.name}.scratch"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _raw_parameters(given: str | None) -> object:
    text = _parameters_text(given)
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise BadParameter(f"The parameters are not JSON: {error}.") from error


def _parameters_text(given: str | None) -> str:
    if given and not given.startswith("@"):
        return given
    file = Path(given[1:]) if given else Path(os.environ.get("INPUTS", "")) / PARAMETERS_FILE
    if given and not file.is_file():
        raise MissingInput(f"The parameters file {file} does not exist.")
    return file.read_text() if file.is_file() else ""
