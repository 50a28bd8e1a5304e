"""report.json: what came out, with which parameters, on which versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from typing import Any

import msgspec
import torch
import transformers

from algorithms.shared.inputs import Task
from algorithms.shared.parameters import P


def write_report(task: Task[P], metrics: Mapping[str, float], **more: Any) -> None:
    """`metrics` are plain figures; `more` holds tables of the algorithm's own."""
    report = {
        "algorithm": {"name": task.algorithm["name"], "version": task.algorithm["version"]},
        "metrics": dict(metrics),
        "parameters": msgspec.to_builtins(task.parameters),
        "versions": versions(),
        **more,
    }
    (task.outputs / "report.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")


def versions() -> dict[str, str]:
    """What a result depends on beside its inputs."""
    found = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
    }
    return found | ({"cuda": str(torch.version.cuda)} if torch.cuda.is_available() else {})
