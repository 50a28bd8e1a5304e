"""What a model's folder may make this process do: by default, nothing but hold numbers.

A pickle runs code as it is read, and `auto_map` names Python files of the folder. Either is done
only where the environment's policy allows it, which reaches this process as a variable.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from algorithms.shared.failures import BadModel

PICKLES_VARIABLE = "POSTHUMAN_ALLOW_PICKLES"
CODE_VARIABLE = "POSTHUMAN_ALLOW_REMOTE_CODE"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def pickles_allowed() -> bool:
    """Weights in pickles may be read, as tensors only (torch.load's weights_only)."""
    return os.environ.get(PICKLES_VARIABLE) == "1"


def code_allowed() -> bool:
    """Python code in the model's folder may be run."""
    return os.environ.get(CODE_VARIABLE) == "1"


def check_weights(folder: Path) -> None:
    """Raises BadModel where there is nothing that may be read."""
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
    if not pickles:
        raise BadModel(f"The model in {folder} has no weights: no *.safetensors file is there.")
    if not pickles_allowed():
        raise BadModel(
            f"The model in {folder} has its weights in a pickle ({pickles[0]}), which could run "
            "code. Save it again as safetensors, or have the environment's policy allow it "
            "(policy.allowPickles)."
        )


def check_code(folder: Path, known_types: Any) -> None:
    """Raises BadModel for a model that only its own Python code can make."""
    config = read_json(folder / "config.json")
    if config.get("model_type") in known_types or not config.get("auto_map") or code_allowed():
        return
    raise BadModel(
        f"The model in {folder} ({config.get('model_type')}) comes with Python code of its own. "
        "It is run only if the environment's policy allows it (policy.allowRemoteCode)."
    )


def read_json(file: Path) -> dict[str, Any]:
    """Raises BadModel for what isn't an object."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BadModel(f"{file} can't be read: {error}.") from error
    if not isinstance(content, dict):
        raise BadModel(f"{file} is no JSON object.")
    return content
